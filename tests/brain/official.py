"""Asks a brain by the service's own Python client. Arguments: a scene, and what it needs.

UNISON_API_URL and UNISON_TOKEN say where and as whom, as the client reads them itself. It ends with status 0 where all is
as the client expects it, else with a traceback.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import unisonlabs
from unisonlabs import AsyncUnisonBrain, UnisonBrain

ROOM = "/private/backchannel/room/"
PATH = ROOM + "inbox/bob/one.md"
BODY = '---\nid: "a"\nbody: "say \\"hi\\" \\\\ \\n---\\n"\n---\n# Message\n"quotes" \\ back\\slashes\r\n---\ttab\nümläut 🦀 \u2028 \x01\n'


def brain(retries=0, **options):
    return UnisonBrain(max_retries=retries, **options)


def refused(kind, call):
    """The error that a call ends with; it must be of this kind and of no kind under it."""
    try:
        found = call()
    except unisonlabs.UnisonError as error:
        assert type(error) is kind, f"{error!r} in place of {kind.__name__}"
        return error
    raise AssertionError(f"{kind.__name__} in place of {found!r}")


def life(has_hashes, has_bodies, has_entry_hashes):
    """Written, read, written again, listed, deleted."""
    with brain() as client:
        written = client.write(PATH, BODY, title="Message from alice")
        assert (written.path, written.bodyMd, written.title) == (PATH, BODY, "Message from alice"), written
        read = client.get(PATH)
        assert read == written and read.body == BODY, read
        assert (read.contentHash is not None) == has_hashes, read

        long = "x" * 199_000 + BODY
        again = client.write(PATH, long, expected_content_hash=read.contentHash)
        assert again.bodyMd == long and client.get(PATH).bodyMd == long
        if has_hashes:
            assert again.contentHash != read.contentHash
            stale = lambda: client.write(PATH, "stale", expected_content_hash=read.contentHash)
            error = refused(unisonlabs.ConflictError, stale)
            assert error.body["error"]["code"] == "conflict" and "hash" in error.message, error.body
            assert client.get(PATH).bodyMd == long

        for number in range(30):
            client.write(f"{ROOM}inbox/bob/{number:02}.md", f"body {number}")
        client.write(ROOM + "log/one.md", "archive")
        listed = client.documents.list(prefix=ROOM + "inbox/bob/", limit=100).documents
        assert len(listed) == 31 and all(one.path.startswith(ROOM + "inbox/bob/") for one in listed)
        assert all((one.bodyMd is not None) == has_bodies for one in listed)
        assert all((one.contentHash is not None) == (has_hashes and has_entry_hashes) for one in listed)
        assert len(client.documents.list(prefix=ROOM, limit=7).documents) == 7
        assert client.documents.list(prefix="/private/elsewhere/").documents == []

        assert client.documents.delete(PATH).deleted is True
        assert client.documents.delete(PATH).deleted is False
        error = refused(unisonlabs.NotFoundError, lambda: client.get(PATH))
        assert error.status_code == 404 and PATH in error.message, error.message


def nobody():
    """Who it is; no token, a wrong one, one that may only read, another user's."""
    whoami = brain().whoami()
    assert whoami.user.id and whoami.workspace.verified and "brain:write" in whoami.scopes
    refused(unisonlabs.AuthenticationError, lambda: brain(token="usk_live_wrong").whoami())
    reader = brain(token=sys.argv[2])
    assert reader.whoami().scopes == ["brain:read"]
    assert reader.documents.list(prefix=ROOM).documents == []
    refused(unisonlabs.PermissionDeniedError, lambda: reader.write(PATH, "x"))
    brain().write(PATH, "mine")
    refused(unisonlabs.NotFoundError, lambda: reader.get(PATH))
    # The client refuses these itself; the service must too.
    headers = {"Authorization": f"Bearer {brain().token}"}
    for path, status in [("/private/x", 400), ("/teams/x.md", 400), ("/system/x.md", 403)]:
        refused(unisonlabs.BrainContractError, lambda: brain().write(path, "x"))
        body = {"path": path, "bodyMd": "x"}
        answer = httpx.put(f"{brain().base_url}/v1/brain/doc", json=body, headers=headers)
        assert answer.status_code == status, (path, answer.text)


def errors():
    """Each error is the client's exception for it, with what the service said."""
    kinds = {
        "400": unisonlabs.BadRequestError,
        "403": unisonlabs.PermissionDeniedError,
        "408": unisonlabs.APIStatusError,
        "409": unisonlabs.ConflictError,
        "429": unisonlabs.RateLimitError,
        "500": unisonlabs.InternalServerError,
        "503": unisonlabs.InternalServerError,
    }
    with brain() as client:
        for status, kind in kinds.items():
            error = refused(kind, lambda: client.get(f"/private/{status}.md"))
            assert (error.status_code, error.message) == (int(status), f"made up {status}"), error
        # A gateway's.
        for name, body in [("text", str), ("null", type(None))]:
            error = refused(unisonlabs.InternalServerError, lambda: client.get(f"/private/{name}.md"))
            assert error.message == "HTTP 502" and isinstance(error.body, body), error.body
        for name in ["cut", "half"]:
            refused(unisonlabs.APIConnectionError, lambda: client.get(f"/private/{name}.md"))
        # This client takes a `null` that says 200 for a document of the wrong kind.
        try:
            client.get("/private/nothing.md")
        except ValueError:
            pass
        else:
            raise AssertionError("null is a document")
        assert client.get("/private/fine.md").body == "fine"
    with brain(timeout=0.2) as client:
        refused(unisonlabs.APITimeoutError, lambda: client.write("/private/slow.md", "late"))


def retries():
    """What the client tries again, and when: `retry-after` is obeyed."""
    with brain(retries=2) as client:
        assert client.get("/private/busy.md").body == "busy"


def unknown():
    """The answers to a write with a hash and to a delete are lost after both were done: tried again blindly, as this client
    does, the write says that somebody else came first, and the delete that there was nothing."""
    with brain(retries=1) as client:
        read = client.get(PATH)
        again = lambda: client.write(PATH, "claimed", expected_content_hash=read.contentHash)
        refused(unisonlabs.ConflictError, again)
        assert client.get(PATH).body == "claimed"
        assert client.documents.delete(PATH).deleted is False


def race():
    """Of many that write with one hash, one wins."""
    expected = brain().get(PATH).contentHash

    def write(number):
        try:
            return brain().write(PATH, f"writer {number}", expected_content_hash=expected).body
        except unisonlabs.ConflictError:
            return None

    with ThreadPoolExecutor(16) as pool:
        won = [body for body in pool.map(write, range(16)) if body]
    assert len(won) == 1 and brain().get(PATH).body == won[0], won


def asynchronous():
    """The other client of the same package."""

    async def scene():
        async with AsyncUnisonBrain(max_retries=0) as client:
            written = await client.write(PATH, BODY)
            assert (await client.get(PATH)) == written
            listed = await client.documents.list(prefix=ROOM, limit=10)
            assert [one.path for one in listed.documents] == [PATH]
            assert (await client.documents.delete(PATH)).deleted is True

    asyncio.run(scene())


if __name__ == "__main__":
    assert unisonlabs.__version__ == "0.2.0", unisonlabs.__version__
    scene, *arguments = sys.argv[1:]
    if scene == "life":
        life(*json.loads(arguments[0]))
    else:
        globals()[scene]()
