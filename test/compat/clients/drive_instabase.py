"""The published Instabase client, unmodified: every call of its secrets."""
import os

from aihub import AIHub
from aihub.exceptions import ApiException

VALUE = "not-a-real-value-0001"
hub = AIHub(api_root=os.environ["API"] + "/api", api_key=os.environ["KEY"], ib_context="default")


def status_of(call):
    try:
        call()
    except ApiException as error:
        assert "message" in error.body, error.body
        return error.status
    return 200


hub.secrets.create(
    alias="py_secret",
    value=VALUE,
    allowed_workspaces_type="SOME",
    description="of a client",
    allowed_workspaces=["workspace1", "workspace2"],
)
[secret] = hub.secrets.list(alias="py_secret").secrets
assert secret.alias == "py_secret" and secret.description == "of a client", secret
assert secret.allowed_workspaces_type == "SOME", secret
assert secret.allowed_workspaces == ["workspace1", "workspace2"], secret
assert secret.org == "default" and secret.created_at > 1_600_000_000_000, secret
assert len(hub.secrets.list(workspace="workspace1").secrets) == 1
hub.secrets.update(alias="py_secret", value=VALUE + "-2", allowed_workspaces_type="ALL")
[secret] = hub.secrets.list(alias="py_secret").secrets
assert secret.allowed_workspaces_type == "ALL" and secret.description == "of a client", secret
again = lambda: hub.secrets.create("py_secret", VALUE, "ALL")
assert status_of(again) == 409
assert status_of(lambda: hub.secrets.create("py_other", VALUE, "SOME")) == 400
hub.secrets.delete(alias="py_secret")
assert hub.secrets.list(alias="py_secret").secrets == []
assert status_of(lambda: hub.secrets.delete(alias="py_secret")) == 404
foreign = AIHub(api_root=os.environ["API"] + "/api", api_key=os.environ["KEY"], ib_context="other")
assert status_of(foreign.secrets.list) == 403
hub.secrets.create("py_left", VALUE, "ALL")
# Last: the clients of one process share their configuration.
nobody = AIHub(api_root=os.environ["API"] + "/api", api_key="not-a-real-key")
assert status_of(nobody.secrets.list) == 401
print("ok")
