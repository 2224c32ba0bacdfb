"""Shakes hands with 127.0.0.1:PORT under the strict rules that Python 3.13 made the default; trusts CA
alone; then the names, one handshake each."""
import socket
import ssl
import sys

context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
for name in sys.argv[3:]:
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as plain:
        with context.wrap_socket(plain, server_hostname=name):
            print("verified", name)
