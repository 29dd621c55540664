"""As production has it on two cores: threads, because only their workers keep connections open; no access log."""

import os

bind = f"127.0.0.1:{os.environ['PORT']}"
workers = 2
threads = 4
keepalive = 75
loglevel = "warning"
# It would lie in the home folder, where two servers are in each other's way.
control_socket_disable = True
