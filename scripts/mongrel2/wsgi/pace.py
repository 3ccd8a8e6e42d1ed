"""Flow control of answers (docs/handler-protocol.md): how many bytes may go to a client whose
earlier bytes have not left the server yet.

The thread that receives passes on what the server says of clients; the threads of the application
wait here for credits, for a bounded time.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Optional

from mongrel2.request import Request

# The server cuts off a client that takes nothing for limits.write_ms, 30 s, and says so.
PATIENCE_SECONDS = 60.0
# Connections whose answers have ended while credits are still due.
ACCOUNTS_MAX = 10_000


class ClientGone(ConnectionError):
    """Nobody waits for this answer any more."""


class Account:
    """One connection: the bytes that were sent to it and have not left the server."""

    __slots__ = ("ahead", "running", "gone")

    def __init__(self) -> None:
        self.ahead = 0
        self.running = 0  # requests that are being answered
        self.gone = False


class Pace:
    """The accounts of all connections."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self.patience = patience
        # What may be ahead of a client; None: the server says no credits (download.flow_control).
        self.window: Optional[int] = None
        self._changed = threading.Condition()
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self._ended = False

    # What the server says

    def learn(self, request: Request) -> None:
        """The first request of a connection names the window."""
        window = request.download_credits
        if window is not None:
            self.window = max(1, window)

    def credit(self, conn_id: str, count: int) -> None:
        with self._changed:
            account = self._accounts.get(conn_id)
            if account is not None:
                account.ahead = max(0, account.ahead - count)
                self._tidy(conn_id, account)
                self._changed.notify_all()

    def left(self, conn_id: str) -> None:
        with self._changed:
            account = self._accounts.get(conn_id)
            if account is not None:
                account.gone = True
                self._tidy(conn_id, account)
                self._changed.notify_all()

    def end(self) -> None:
        """From here on every client counts as gone."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # What the threads of the application do

    def begin(self, conn_id: str) -> Account:
        with self._changed:
            account = self._accounts.setdefault(conn_id, Account())
            account.running += 1
            return account

    def finish(self, conn_id: str) -> None:
        with self._changed:
            account = self._accounts[conn_id]
            account.running -= 1
            self._tidy(conn_id, account)
            if len(self._accounts) > ACCOUNTS_MAX:
                self._drop_one()

    def spend(self, account: Account, count: int) -> None:
        """These bytes are about to be sent, whatever is ahead."""
        with self._changed:
            self._check(account)
            account.ahead += count

    def wait(self, account: Account, wanted: int) -> int:
        """Waits until some bytes may be sent, spends them, and returns how many of wanted."""
        deadline = time.monotonic() + self.patience
        with self._changed:
            while True:
                self._check(account)
                free = wanted if self.window is None else min(wanted, self.window - account.ahead)
                if free > 0:
                    account.ahead += free
                    return free
                before = account.ahead
                self._changed.wait(max(0.0, deadline - time.monotonic()))
                if account.ahead < before:
                    deadline = time.monotonic() + self.patience
                elif time.monotonic() >= deadline:
                    raise TimeoutError(
                        f"no credits for {self.patience:g} s: the client takes nothing, or they "
                        "went to another process (download.flow_control is for pairs with one)")

    def _check(self, account: Account) -> None:
        if account.gone or self._ended:
            raise ClientGone("the client has left")

    def _tidy(self, conn_id: str, account: Account) -> None:
        done = account.gone or account.ahead == 0 or self.window is None
        if done and not account.running:
            self._accounts.pop(conn_id, None)

    def _drop_one(self) -> None:
        for conn_id, account in self._accounts.items():
            if not account.running:
                del self._accounts[conn_id]
                return
