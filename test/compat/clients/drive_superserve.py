"""The published Superserve client of Python, unmodified, synchronous and asynchronous."""
import asyncio
import os

from superserve import AsyncSandbox, AsyncSecret, NetworkConfig, Provider, Sandbox, Secret
from superserve.errors import ConflictError, NotFoundError, ValidationError

VALUE = "not-a-real-value-0001"
at = {"api_key": os.environ["KEY"], "base_url": os.environ["API"]}


def fails_with(expected, call):
    try:
        call()
    except expected:
        return True
    return False


def drive():
    assert len(Provider.list(**at)) >= 19
    secret = Secret.create(name="py-openai", value=VALUE, provider="openai", **at)
    assert secret.hosts == ["api.openai.com"] and secret.auth_type == "bearer", secret
    custom = {"type": "api-key", "header": "X-Key"}
    Secret.create(name="py-own", value=VALUE, auth=custom, hosts=["api.example.com"], **at)
    assert {one.name for one in Secret.list(**at)} >= {"py-openai", "py-own"}
    assert Secret.get("py-openai", **at).id == secret.id
    secret.rotate(VALUE + "-2")
    assert secret.get_info().name == "py-openai"
    again = lambda: Secret.create(name="py-own", value=VALUE, provider="openai", **at)
    assert fails_with(ConflictError, again)
    wrong = lambda: Secret.create(name="py-bad", value=VALUE, **at)
    assert fails_with(ValidationError, wrong)
    network = NetworkConfig(allow_out=["api.openai.com"], deny_out=["0.0.0.0/0"])
    box = Sandbox.create(
        name="py-box", secrets={"OPENAI_API_KEY": "py-openai"}, network=network, **at
    )
    [binding] = box.secrets
    assert binding.env_key == "OPENAI_API_KEY" and binding.secret_name == "py-openai", binding
    box.attach_secret("OWN_KEY", "py-own")
    assert {one.env_key for one in box.get_info().secrets} == {"OPENAI_API_KEY", "OWN_KEY"}
    box.detach_secret("OWN_KEY")
    assert [one.sandbox_name for one in secret.get_sandboxes()] == ["py-box"]
    assert secret.get_audit(limit=5) == []
    assert box.get_network_log(limit=5).events == []
    assert "py-box" in {one.name for one in Sandbox.list(**at)}
    box.update(metadata={"a": "b"})
    box.pause()
    box.resume()
    box.kill()
    secret.delete()
    assert fails_with(NotFoundError, lambda: Secret.get("py-openai", **at))
    Secret.delete_by_name("py-own", **at)


async def drive_async():
    secret = await AsyncSecret.create(name="py-async", value=VALUE, provider="github", **at)
    assert secret.auth_type == "per_host", secret
    box = await AsyncSandbox.create(name="py-async-box", secrets={"GITHUB_TOKEN": "py-async"}, **at)
    assert [one.env_key for one in box.secrets] == ["GITHUB_TOKEN"]
    await secret.rotate(VALUE + "-2")
    await box.detach_secret("GITHUB_TOKEN")
    assert (await box.get_info()).secrets in ([], None)
    await box.kill()
    await secret.delete()
    assert "py-async" not in {one.name for one in await AsyncSecret.list(**at)}


drive()
asyncio.run(drive_async())
Secret.create(name="py-left", value=VALUE, provider="openai", **at)
print("ok")
