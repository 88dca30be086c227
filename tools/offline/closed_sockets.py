"""Close this process's sockets, but for those to this machine itself: the course needs no network.

``PYTHONPATH=tools/offline`` closes them in every Python that is started (see sitecustomize.py): so ``make nbval`` runs
all notebooks without network. The unit tests close their own (see conftest.py). An attempt fails as without a network,
is kept in ``attempts`` (and in the file that the variable NETWORK_LOG names), and is told on the standard error.
"""

import ipaddress
import os
import socket
import sys

attempts: list[str] = []  # the places that something wanted to reach
LOCAL_NAMES = ("localhost", "", None)


class NetworkClosed(ConnectionRefusedError):
    """Something wanted to reach another machine."""


def is_local(host) -> bool:
    """Whether a host, as given to a socket, is this machine."""
    host = host.decode() if isinstance(host, bytes) else host
    if host in LOCAL_NAMES or host == socket.gethostname():
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(host) -> None:
    attempts.append(str(host))
    if os.environ.get("NETWORK_LOG"):
        with open(os.environ["NETWORK_LOG"], "a", encoding="utf-8") as log:
            log.write(f"{host}\n")
    print(f"network: something wanted to reach {host}, and the course needs no network", file=sys.stderr)
    raise NetworkClosed(f"the sockets are closed in tests; something wanted to reach {host}")


def _guarded(usual, which: int):
    def guarded(own, *arguments):
        address = arguments[which]
        if own.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            _refuse(f"{address[0]}:{address[1]}")
        return usual(own, *arguments)

    return guarded


def close() -> None:
    """From now on, connections and questions for addresses go to this machine only."""
    if getattr(socket, "_closed_by_the_course", False):
        return
    socket._closed_by_the_course = True
    for name, which in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name), which))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        usual = getattr(socket, name)

        def ask(host, *arguments, usual=usual, **options):
            if not is_local(host):
                _refuse(host)
            return usual(host, *arguments, **options)

        setattr(socket, name, ask)
