"""The `requests` package in a sandbox: a call, a stream, a refusal. Prints one line each."""
import os
import sys

import requests

url = sys.argv[1]
session = requests.Session()
session.headers["Authorization"] = "Bearer " + os.environ["API_KEY"]

response = session.post(url + "/things", json={"name": "thing"})
print(response.status_code, response.text)

pieces = []
with session.get(url + "/stream", stream=True) as response:
    for line in response.iter_lines():
        if not pieces:
            session.get(url + "/release")
        pieces.append(line.decode())
print(" ".join(pieces))

response = session.get(url + "/forbidden")
print(response.status_code, response.json()["error"]["code"])
try:
    session.get(sys.argv[2])
except requests.exceptions.ProxyError as error:
    print(error)
