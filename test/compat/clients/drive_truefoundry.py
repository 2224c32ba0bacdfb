"""The published TrueFoundry client, unmodified: its nine calls of secrets and secret groups."""
import os

from truefoundry import TrueFoundry
from truefoundry_sdk import (
    Collaborator,
    SecretGroupManifest,
    SecretInput,
    UpdateSecretInput,
)
from truefoundry_sdk.core.api_error import ApiError

VALUE = "not-a-real-value-0001"
ONCE = {"max_retries": 0}
client = TrueFoundry(base_url=os.environ["API"], api_key=os.environ["KEY"])


def status_of(call):
    try:
        call()
    except ApiError as error:
        return error.status_code
    return 200


group = client.secret_groups.create(
    name="py-group",
    integration_id="integration-1",
    secrets=[SecretInput(key="A", value=VALUE), SecretInput(key="B", value=VALUE)],
).data
assert group.fqn == "default:py-group" and group.tenant_name == "default", group
assert group.account_id and group.created_by_subject.subject_slug == "bootstrap", group
assert [secret.name for secret in group.associated_secrets] == ["A", "B"], group
assert all(secret.value is None for secret in group.associated_secrets), group
assert group.associated_secrets[0].secret_versions[0].version == 1, group

again = lambda: client.secret_groups.create(
    name="py-group", integration_id="integration-1", secrets=[], request_options=ONCE
)
assert status_of(again) == 409
bad = lambda: client.secret_groups.create(
    name="a:b", integration_id="integration-1", secrets=[], request_options=ONCE
)
assert status_of(bad) == 422

pages = {one.name for one in client.secret_groups.list(limit=1)}
assert pages - {"default"} == {"py-group"}, pages
assert [one.id for one in client.secret_groups.list(fqn="default:py-group")] == [group.id]
assert client.secret_groups.get(group.id).data.name == "py-group"

manifest = SecretGroupManifest(
    name="py-group",
    integration_fqn="default:store:one",
    collaborators=[Collaborator(subject="user:bob", role_id="secret-group-viewer")],
)
put = client.secret_groups.create_or_update(manifest=manifest).data
assert put.id == group.id and put.manifest["integration_fqn"] == "default:store:one", put
dry = SecretGroupManifest(name="py-dry", integration_fqn="default:store:one")
client.secret_groups.create_or_update(manifest=dry, dry_run=True)
assert list(client.secret_groups.list(fqn="default:py-dry")) == []

updated = client.secret_groups.update(
    group.id,
    secrets=[UpdateSecretInput(key="A", value=VALUE + "-2"), UpdateSecretInput(key="C", value=VALUE)],
).data
versions = {one.name: len(one.secret_versions) for one in updated.associated_secrets}
assert versions == {"A": 2, "C": 1}, versions

listed = list(client.secrets.list(secret_group_id=group.id, limit=1, with_value=True))
assert [secret.name for secret in listed] == ["A", "C"], listed
assert [secret.value for secret in listed] == [None, None], listed
[named] = client.secrets.list(secret_fqns=["default:py-group:C"])
assert client.secrets.get(named.id).data.fqn == "default:py-group:C"
assert client.secrets.delete(named.id, force_delete=True) == 1
assert status_of(lambda: client.secrets.get(named.id)) == 404
client.secret_groups.delete(group.id, force_delete=False)
assert status_of(lambda: client.secret_groups.get(group.id)) == 404
client.secret_groups.create(
    name="py-left", integration_id="integration-1", secrets=[SecretInput(key="A", value=VALUE)]
)
print("ok")
