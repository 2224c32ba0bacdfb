"""Python's standard library in a sandbox: a call, a stream, a refusal. Prints one line each."""
import json
import os
import sys
import urllib.error
import urllib.request

url = sys.argv[1]
headers = {"Authorization": "Bearer " + os.environ["API_KEY"], "Content-Type": "application/json"}


def send(path, body=None):
    return urllib.request.urlopen(urllib.request.Request(url + path, body, headers))


with send("/things", b'{"name":"thing"}') as response:
    print(response.status, response.read().decode())

pieces = []
with send("/stream") as response:
    for line in response:
        if not pieces:
            send("/release").read()
        pieces.append(line.decode().strip())
print(" ".join(pieces))

try:
    send("/forbidden")
except urllib.error.HTTPError as error:
    print(error.code, json.loads(error.read())["error"]["code"])
try:
    urllib.request.urlopen(sys.argv[2])
except urllib.error.URLError as error:
    print(error.reason)
