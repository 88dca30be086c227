"""Python imports this by itself where PYTHONPATH names its folder."""

import closed_sockets

closed_sockets.close()
