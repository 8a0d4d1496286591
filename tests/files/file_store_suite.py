"""The rules of the stores of files, for any of their implementations: in memory, and on PostgreSQL."""

from datetime import datetime
from typing import Any
from unittest import TestCase

from messenger.core.ids import new_id
from messenger.files.model import Bounds, Draft, Found, Removal, Reserved, Shared
from tests.fakes import run

BOUNDS = Bounds(size=1_000, quota=100, files=3, unshared=86_400, abandoned=600)
MOST_CONVERSATIONS = 2
DIGEST = bytes(32)


class FileStoreSuite(TestCase):
    """`setUp` of a subclass gives the two stores, made with BOUNDS."""

    files: Any
    removal: Any

    def user(self) -> str:
        """A user who is there."""
        raise NotImplementedError

    def conversation(self, *user_ids: str) -> str:
        """A conversation of these users: a direct one, if they are two."""
        raise NotImplementedError

    def block(self, user_id: str, other: str) -> None:
        """Have a user block another one."""
        raise NotImplementedError

    def delete_user(self, user_id: str) -> None:
        """Delete a user's account."""
        raise NotImplementedError

    def begin(self, user_id: str, reserved: int = 10, conversation_id: str | None = None) -> tuple[str, Any]:
        draft = Draft(new_id(), new_id(), user_id, reserved, b"metadata", conversation_id)
        self.key = draft.blob_key
        return draft.file_id, run(self.files.begin(draft))

    def stored(self, user_id: str, conversation_id: str | None = None) -> str:
        file_id, begun = self.begin(user_id, 10, conversation_id)
        assert begun is Reserved.done
        assert isinstance(run(self.files.finish(file_id, 10, DIGEST)), Found)
        return file_id

    def find(self, file_id: str, user_id: str) -> Any:
        return run(self.files.find(file_id, user_id))

    # uploads

    def test_room_is_bounded_in_bytes_and_in_files(self) -> None:
        user_id = self.user()
        assert self.begin(user_id, 101)[1] is Reserved.over_quota
        first, begun = self.begin(user_id, 60)
        assert begun is Reserved.done
        assert self.begin(user_id, 41)[1] is Reserved.over_quota
        assert self.begin(user_id, 40)[1] is Reserved.done
        run(self.removal.drop(first))
        assert self.begin(user_id, 0)[1] is Reserved.done
        assert self.begin(user_id, 0)[1] is Reserved.done
        assert self.begin(user_id, 0)[1] is Reserved.over_quota
        assert self.begin(self.user(), 100)[1] is Reserved.done

    def test_an_upload_grows_within_the_quota(self) -> None:
        user_id = self.user()
        file_id, _ = self.begin(user_id, 60)
        assert run(self.files.grow(file_id, 41)) is Reserved.over_quota
        assert run(self.files.grow(file_id, 40)) is Reserved.done
        assert run(self.files.grow(file_id, 1)) is Reserved.over_quota
        assert run(self.files.grow(new_id(), 1)) is Reserved.gone

    def test_a_finished_upload_takes_the_room_of_what_came(self) -> None:
        user_id = self.user()
        file_id, _ = self.begin(user_id, 100)
        found = run(self.files.finish(file_id, 30, DIGEST))
        assert (found.file_id, found.blob_key, found.size, found.sha256) == (file_id, self.key, 30, DIGEST)
        assert (found.metadata, found.conversation_ids) == (b"metadata", [])
        assert (found.own, found.member, found.shared, found.readable) == (True, False, False, True)
        assert isinstance(found.expires_at, datetime)
        assert self.begin(user_id, 71)[1] is Reserved.over_quota
        assert self.begin(user_id, 70)[1] is Reserved.done

    def test_an_upload_is_finished_once(self) -> None:
        file_id = self.stored(self.user())
        assert run(self.files.finish(file_id, 10, DIGEST)) is Reserved.gone
        assert run(self.files.finish(new_id(), 10, DIGEST)) is Reserved.gone
        assert run(self.files.grow(file_id, 1)) is Reserved.gone
        assert not run(self.files.touch(file_id))

    def test_somebody_works_on_an_upload(self) -> None:
        file_id, _ = self.begin(self.user())
        assert run(self.files.touch(file_id))
        assert not run(self.files.touch(new_id()))
        run(self.files.note_parts(file_id, "parts"))
        assert run(self.removal.drop(file_id)) == Removal(self.key, "parts", False)

    # who may see what

    def test_an_upload_is_seen_by_nobody(self) -> None:
        user_id = self.user()
        file_id, _ = self.begin(user_id)
        assert self.find(file_id, user_id) is None
        assert self.find(new_id(), user_id) is None

    def test_an_unshared_file_is_its_uploaders(self) -> None:
        user_id, other = self.user(), self.user()
        file_id = self.stored(user_id)
        mine, theirs = self.find(file_id, user_id), self.find(file_id, other)
        assert (mine.own, mine.readable) == (True, True)
        assert (theirs.own, theirs.member, theirs.readable) == (False, False, False)

    def test_a_shared_file_is_the_members(self) -> None:
        ann, ben, cat = self.user(), self.user(), self.user()
        conversation_id = self.conversation(ann, ben)
        assert self.begin(cat, 10, conversation_id)[1] is Reserved.no_conversation
        file_id = self.stored(ann, conversation_id)
        for user_id, own, member in ((ann, True, True), (ben, False, True), (cat, False, False)):
            found = self.find(file_id, user_id)
            assert (found.own, found.member, found.shared) == (own, member, True)
            assert found.conversation_ids == ([conversation_id] if member else [])

    def test_sharing(self) -> None:
        ann, ben, cat = self.user(), self.user(), self.user()
        first, second, third = (self.conversation(ann, ben, cat) for _ in range(3))
        share, file_id = self.files.share, self.stored(ann)
        assert run(share(file_id, ben, first)) is Shared.no_file
        assert run(share(new_id(), ann, first)) is Shared.no_file
        assert run(share(self.begin(ann)[0], ann, first)) is Shared.no_file
        assert run(share(file_id, ann, new_id())) is Shared.no_conversation
        assert self.find(file_id, ann).expires_at is not None
        for conversation_id in (first, second, first):
            assert run(share(file_id, ann, conversation_id)) is Shared.done
        assert run(share(file_id, ann, third)) is Shared.too_many
        found = self.find(file_id, cat)
        assert (found.conversation_ids, found.expires_at) == (sorted([first, second]), None)

    def test_a_block_bars_a_direct_conversation(self) -> None:
        ann, ben = self.user(), self.user()
        conversation_id = self.conversation(ann, ben)
        alone, begun = self.stored(ann), self.begin(ann, 10, conversation_id)
        assert begun[1] is Reserved.done
        self.block(ben, ann)
        assert self.begin(ann, 10, conversation_id)[1] is Reserved.blocked
        assert run(self.files.finish(begun[0], 10, DIGEST)) is Reserved.blocked
        assert run(self.files.share(alone, ann, conversation_id)) is Shared.blocked

    # the end

    def test_a_dropped_file_is_gone_and_its_blob_is_due_later(self) -> None:
        user_id = self.user()
        file_id = self.stored(user_id)
        removal = Removal(self.key, None, True)
        assert run(self.removal.drop(file_id)) == removal
        assert run(self.removal.drop(file_id)) is None
        assert self.find(file_id, user_id) is None
        assert removal not in run(self.removal.due(1_000))
        run(self.removal.cleared(self.key))

    def test_the_files_of_a_deleted_account_go(self) -> None:
        user_id = self.user()
        file_ids = {self.stored(user_id), self.begin(user_id)[0]}
        assert run(self.removal.drop_ownerless()) is None
        self.delete_user(user_id)
        assert all(self.find(file_id, user_id) is None for file_id in file_ids)
        assert run(self.removal.drop_ownerless()) is not None
        assert run(self.removal.drop_ownerless()) is not None
        assert run(self.removal.drop_ownerless()) is None

    def test_what_is_worked_on_and_lives_stays(self) -> None:
        user_id = self.user()
        self.stored(user_id)
        self.begin(user_id)
        assert run(self.removal.drop_abandoned()) is None
        assert run(self.removal.drop_expired()) is None

    def test_a_file_that_nobody_holds_expires_again(self) -> None:
        ann = self.user()
        file_id = self.stored(ann, self.conversation(ann, self.user(), self.user()))
        assert self.find(file_id, ann).expires_at is None
        run(self.removal.let_go(1_000))  # somebody is in there
        assert self.find(file_id, ann).member
