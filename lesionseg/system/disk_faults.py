"""Words for a disk that is full, read-only or gone."""

import errno

from lesionseg.errors import FaultError

DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "there is no permission",
    errno.ENOTDIR: "a folder is no folder but a file",
    errno.ENOENT: "the file or its folder is gone",
    errno.EIO: "the disk fails",
    errno.ESTALE: "the network folder is gone",
}


def disk_fault_of(error: BaseException) -> FaultError | None:
    """Words an error that a disk is to blame for, with the file it was over; None for all others."""
    if isinstance(error, OSError) and error.errno in DISK:
        return FaultError(f"{DISK[error.errno]}: {error.filename or error.strerror}")
    return None
