"""The honest answers about accounts, devices, keys and vaults."""

import secrets
from hashlib import sha256

import msgspec

from messenger.client.e2e.account import devices_of_list
from messenger.client.e2e.errors import BadDeviceList
from messenger.core.ids import new_id
from messenger.wire import auth, keys
from messenger.wire.codec import Binary
from messenger.wire.errors import Code, Problem, not_found
from messenger.wire.paging import Items
from messenger.wire.system import Info
from messenger.wire.vault import VaultContent, VaultItem, VaultName, VaultVersion
from tests.client.lying.front import Ask
from tests.client.lying.server import Server, body, now, route
from tests.client.lying.state import Device, User


def _user(user: User) -> auth.User:
    return auth.User(user.user_id, user.username, user.created_at)


# accounts


@route("GET", "/info", is_open=True)
def info(_server: Server, _device: Device, _ask: Ask) -> Info:
    return Info(version="0", protocols=["messenger.v1"], registration="open", limits={}, features=[])


@route("GET", "/auth/kdf", is_open=True)
def kdf(server: Server, _device: Device, ask: Ask) -> auth.KdfAnswer:
    user = server.state.user_named(ask.query["username"])
    if user is not None:
        return auth.KdfAnswer(kdf=user.kdf)
    salt = Binary(sha256(ask.query["username"].encode()).digest()[:16])
    made = auth.Kdf(algorithm="argon2id", memory_kib=65_536, passes=3, lanes=1, salt=salt)
    return auth.KdfAnswer(kdf=made)


@route("POST", "/auth/register", is_open=True)
def register(server: Server, _device: Device, ask: Ask) -> auth.Session:
    said: auth.Register = body(ask, auth.Register)
    if server.state.user_named(said.username) is not None:
        raise Problem(Code.username_taken)
    user = User(new_id(), said.username, now(), said.password, said.kdf)
    server.state.users[user.user_id] = user
    return server.session(user, server.state.new_device(user.user_id, said.device_name, now()))


@route("POST", "/auth/login", is_open=True)
def login(server: Server, _device: Device, ask: Ask) -> auth.Session:
    said: auth.Login = body(ask, auth.Login)
    user = server.state.user_named(said.username)
    if user is None or user.password != said.password:
        raise Problem(Code.unauthorized, "The username or the password is wrong.")
    if said.device_id is None:
        return server.session(user, server.state.new_device(user.user_id, said.device_name, now()))
    device = server.state.devices.get(said.device_id)
    if device is None or device.removed or device.user_id != user.user_id:
        raise not_found()
    return server.session(user, device)


@route("POST", "/auth/refresh", is_open=True)
def refresh(server: Server, _device: Device, ask: Ask) -> auth.Session:
    said: auth.Refresh = body(ask, auth.Refresh)
    device_id = server.state.refreshes.pop(said.refresh_token, None)
    if device_id is None:
        raise Problem(Code.unauthorized)
    device = server.state.devices[device_id]
    if device.removed:
        server.state.refreshes[said.refresh_token] = device_id
        raise Problem(Code.unauthorized, "The device was removed.", members={"reason": "removed"})
    return server.session(server.state.users[device.user_id], device)


@route("POST", "/auth/ticket")
def ticket(server: Server, device: Device, _ask: Ask) -> auth.Ticket:
    made = secrets.token_urlsafe(24)
    server.state.tokens[made] = device.device_id
    return auth.Ticket(ticket=made, expires_in=30)


@route("POST", "/auth/logout")
def logout(server: Server, device: Device, _ask: Ask) -> None:
    server.end_session(device)


@route("GET", "/auth/devices")
def devices(server: Server, device: Device, _ask: Ask) -> Items[auth.Device]:
    return Items(
        [
            auth.Device(
                device_id=one.device_id,
                device_name=one.name,
                created_at=one.created_at,
                last_seen_at=one.created_at,
                current=one is device,
            )
            for one in server.state.devices_of(device.user_id)
        ]
    )


@route("DELETE", "/auth/devices/{}")
def remove_device(server: Server, device: Device, ask: Ask) -> None:
    found = server.state.devices.get(ask.ids[0])
    if found is None or found.removed or found.user_id != device.user_id:
        raise not_found()
    found.removed = True
    server.end_session(found)
    server.tell_device("removed", found)


@route("GET", "/users")
def users(server: Server, _device: Device, ask: Ask) -> Items[auth.User]:
    found = server.state.user_named(ask.query["username"])
    return Items([] if found is None else [_user(found)])


@route("POST", "/users/lookup")
def lookup(server: Server, _device: Device, ask: Ask) -> Items[auth.User]:
    said: auth.UserLookup = body(ask, auth.UserLookup)
    known = server.state.users
    return Items([_user(known[one]) for one in said.user_ids if one in known])


@route("GET", "/blocks")
def blocks(_server: Server, _device: Device, _ask: Ask) -> Items[str]:
    return Items([])


# keys


@route("PUT", "/keys/identity")
def put_identity(_server: Server, device: Device, ask: Ask) -> None:
    said: keys.IdentityKey = body(ask, keys.IdentityKey)
    if device.identity_key not in (None, bytes(said.identity_key)):
        raise Problem(Code.identity_key_immutable)
    device.identity_key = bytes(said.identity_key)


@route("PUT", "/keys/signed-prekey")
def put_signed(server: Server, device: Device, ask: Ask) -> None:
    before = server.state.published(device)
    device.signed, device.signed_at = body(ask, keys.SignedPrekey), now()
    if server.state.published(device) and not before:
        server.tell_device("published", device)


@route("POST", "/keys/one-time-prekeys")
def post_one_time(_server: Server, device: Device, ask: Ask) -> keys.OneTimePrekeyCount:
    device.one_time += body(ask, keys.OneTimePrekeys).prekeys
    return keys.OneTimePrekeyCount(len(device.one_time))


@route("POST", "/keys/kem-prekeys")
def post_kem(_server: Server, device: Device, ask: Ask) -> keys.KemPrekeyCount:
    said: keys.KemPrekeys = body(ask, keys.KemPrekeys)
    device.kem += said.prekeys
    device.last_resort = said.last_resort or device.last_resort
    return keys.KemPrekeyCount(len(device.kem))


@route("GET", "/keys/status")
def key_status(_server: Server, device: Device, _ask: Ask) -> keys.KeyStatus:
    return keys.KeyStatus(
        identity_key=device.identity_key,
        signed_prekey_id=None if device.signed is None else device.signed.key_id,
        signed_prekey_created_at=device.signed_at,
        one_time_prekeys=len(device.one_time),
        kem_prekeys=len(device.kem),
        highest_key_id=None,
    )


@route("GET", "/keys/identity/{}")
def identities(server: Server, device: Device, ask: Ask) -> keys.Identities:
    user = server.state.users.get(ask.ids[0])
    if user is None:
        raise not_found()
    own = server.state.devices_of(user.user_id)
    published = [one for one in own if server.state.published(one)]
    items = [
        keys.DeviceIdentity(device_id=one.device_id, identity_key=one.identity_key or b"")
        for one in published
    ]
    found = keys.Identities(device_list=user.device_list, items=items)
    if user.user_id != device.user_id:
        return found
    listed = {str(one.device_id) for one in user.device_list.devices} if user.device_list else set()
    pending = [
        keys.PendingDevice(
            device_id=one.device_id,
            identity_key=one.identity_key,
            device_name=one.name,
            created_at=one.created_at,
        )
        for one in own
        if one.identity_key is not None and one.device_id not in listed
    ]
    return msgspec.structs.replace(found, pending=pending)


@route("PUT", "/keys/device-list")
def put_list(server: Server, device: Device, ask: Ask) -> None:
    said: keys.DeviceList = body(ask, keys.DeviceList)
    user = server.state.users[device.user_id]
    try:
        devices_of_list(user.user_id, said)
    except BadDeviceList as error:
        raise Problem(Code.unprocessable, str(error)) from None
    standing = user.device_list
    if standing is not None and said.version <= standing.version:
        raise Problem(Code.conflict, members={"version": standing.version})
    own = server.state.devices_of(user.user_id)
    before = {one.device_id for one in own if server.state.published(one)}
    if standing is not None:
        user.old_lists.append(standing)
    user.device_list = said
    for one in own:
        if server.state.published(one) != (one.device_id in before):
            event = "removed" if one.device_id in before else "published"
            server.tell_device(event, one)


@route("POST", "/keys/claim")
def claim(server: Server, device: Device, ask: Ask) -> Items[keys.Bundle]:
    said: keys.Claim = body(ask, keys.Claim)
    asked = (
        [one.device_id for one in server.state.devices_of(said.user_id)]
        if said.user_id is not None
        else list(said.devices or ())
    )
    found = [server.state.devices[one] for one in asked if one in server.state.devices]
    return Items([bundle(server, one) for one in found if one is not device and server.state.published(one)])


def bundle(server: Server, device: Device) -> keys.Bundle:
    """A device's bundle; its one-time keys are handed out once."""
    listed = server.state.users[device.user_id].device_list
    signed = device.signed
    assert signed is not None
    one_time = device.one_time.pop(0) if device.one_time else None
    kem = device.kem.pop(0) if device.kem else device.last_resort
    return keys.Bundle(
        user_id=device.user_id,
        device_id=device.device_id,
        identity_key=device.identity_key or b"",
        signed_prekey=keys.BundleSignedPrekey(signed.key_id, signed.public_key, signed.signature),
        one_time_prekey=None
        if one_time is None
        else keys.BundleOneTimePrekey(one_time.key_id, one_time.public_key),
        kem_prekey=None
        if kem is None
        else keys.BundleKemPrekey(kem.key_id, kem.public_key, kem.signature, kem is device.last_resort),
        list_version=None if listed is None else listed.version,
    )


# vault


@route("PUT", "/vault/*")
def put_vault(server: Server, device: Device, ask: Ask) -> VaultVersion:
    name = (device.user_id, ask.ids[0])
    version = server.state.vault.get(name, (0, b""))[0] + 1
    server.state.vault[name] = (version, bytes(body(ask, VaultContent).content))
    return VaultVersion(version)


@route("GET", "/vault/*")
def get_vault(server: Server, device: Device, ask: Ask) -> VaultItem:
    found = server.state.vault.get((device.user_id, ask.ids[0]))
    if found is None:
        raise not_found()
    return VaultItem(name=ask.ids[0], version=found[0], content=found[1])


@route("GET", "/vault")
def vault(server: Server, device: Device, _ask: Ask) -> Items[VaultName]:
    return Items(
        [
            VaultName(name=name, version=version)
            for (user_id, name), (version, _) in server.state.vault.items()
            if user_id == device.user_id
        ]
    )
