"""Google Drive, where a notebook in Colab can keep runs that outlive its session."""

from pathlib import Path

DRIVE = "/content/drive/MyDrive/extractive-qa"


def mounted_drive() -> str:
    """The folder for runs on Google Drive, which is mounted first; a ValueError outside Colab."""
    try:
        from google.colab import drive
    except ImportError as error:
        raise ValueError(
            "folder='drive' is Google Drive, which only Colab can mount: name a folder on a disk that outlives the session"
        ) from error
    drive.mount(str(Path(DRIVE).parent.parent))
    return DRIVE
