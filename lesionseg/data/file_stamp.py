"""Telling a file from its own later versions without reading it."""

from pathlib import Path


def file_stamp(path: Path) -> tuple[int, int, int]:
    """Returns a file's size (bytes), when its contents were changed and when anything of it was (both in ns).

    Whoever replaces a file can give it the old one's size and time (`cp -p`, `rsync -t`, `touch -r`, an unpacked
    archive), but not the last number, which the system sets itself. The price: another owner or other permissions count
    as a change, and what depends on the file is made again, once. The file's number on the disk (inode) would say
    nothing more, and on some network and layered file systems it is another one each time that they are mounted. On
    Windows the last number is the time at which the file was made, which a copy over it keeps.

    Raises:
        OSError: There is no such file, or it may not be looked at.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
