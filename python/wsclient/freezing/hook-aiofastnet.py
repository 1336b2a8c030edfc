"""PyInstaller does not see what compiled modules import, nor what they find beside them."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports: list[str] = collect_submodules("aiofastnet")
# The core calls it directly only where this file tells that it knows it.
datas: list[tuple[str, str]] = collect_data_files("aiofastnet", includes=["transport.pxd"])
