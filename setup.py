"""Lists the packages: all of seqcli/, and the shipped models/ as the data of seqcli.models."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["seqcli", "seqcli.*"]), "seqcli.models"],
    package_dir={"seqcli.models": "models"},
    package_data={"seqcli": ["py.typed"], "seqcli.models": ["*/*"]},
)
