"""`python -m lesionseg.download`: fetches a challenge's data."""

from omegaconf import DictConfig

from lesionseg.config.launch import launch


def download(cfg: DictConfig) -> dict[str, int]:
    """Fetches, unpacks and counts the data that `cfg.data` names, see `conf/download.yaml`.

    Folders that are there already are kept as they are; an interrupted download is resumed.

    Returns:
        The number of pairs of each published subset, as `train` and so on.

    Raises:
        InputError: A setting is wrong, there is nothing to download, the server cannot be reached, the disk is full,
            an archive is damaged, or what came is not what was published.
    """
    # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
    from lesionseg.data.download_archives import (
        chosen_source,
        get_archives,
        official_counts,
        print_next_steps,
        require_server,
    )

    require_server(cfg.server, cfg.timeout)
    source, root = chosen_source(cfg)
    get_archives(source, root, server=cfg.server, timeout=cfg.timeout, keep=cfg.keep_archives)
    counts = official_counts(source, root)
    print_next_steps(source, root, counts)
    return {str(subset): count for subset, count in counts.items()}


def main() -> None:
    """Runs the command line."""
    launch("download", download)


if __name__ == "__main__":
    main()
