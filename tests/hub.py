"""A Hub for tests: what downloads and pushes need of its routes, over real HTTP on this machine."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FIRST, SECOND = "c0ffee" + "0" * 34, "decade" + "0" * 34
Files = dict[str, bytes]
NOBODY = {"auth": {}, "avatarUrl": ""}


@dataclass
class Hub:
    """`repos`: `models/owner/name` or `datasets/owner/name` -> commits, the newest last.

    `delay_s`: before each piece of a file. `cut`: of larger files only half is sent. `tokens`: who
    may write, by token. `asked`: the paths that were asked for. `sizes`: what is claimed of files.
    """

    repos: dict[str, dict[str, Files]] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    tokens: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    url: str = ""

    def newest(self, repo: str) -> Files:
        return list(self.repos[repo].values())[-1]


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Runs the Hub on a free port; `hub.url` says where."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0]
        if path == "/api/whoami-v2":
            return self._whoami()
        api = re.fullmatch(
            r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?", path
        )
        file = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if api:
            kind, repo, what, revision = api.groups()
            self._about(f"{kind}/{repo}", what, revision)
        elif file:
            kind, repo, revision, name = file.groups()
            self._file(f"{kind or 'models/'}{repo}", revision, name)
        else:
            self._json(404, {})

    do_HEAD = do_GET

    def _commit(self, repo: str, revision: str | None) -> str | None:
        """The commit of a revision; answers in place where there is none."""
        if repo not in self.hub.repos:
            self._json(404, {}, {"X-Error-Code": "RepoNotFound"})
            return None
        commits = list(self.hub.repos[repo])
        if revision in (None, "main"):
            return commits[-1]
        if revision not in commits:
            self._json(404, {}, {"X-Error-Code": "RevisionNotFound"})
            return None
        return revision

    def _about(self, repo: str, what: str | None, revision: str | None) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        files = self.hub.repos[repo][commit]
        if what == "tree":
            listed = [
                {
                    "type": "file",
                    "path": name,
                    "size": self._size(name, content),
                    "oid": name,
                }
                for name, content in files.items()
            ]
            return self._json(200, listed)
        siblings = [{"rfilename": name, "size": len(files[name])} for name in files]
        self._json(200, {"id": repo.split("/", 1)[1], "sha": commit, "siblings": siblings})

    def _size(self, name: str, content: bytes) -> int:
        return self.hub.sizes.get(name, len(content))

    def _file(self, repo: str, revision: str, name: str) -> None:
        commit = self._commit(repo, revision)
        if commit is None:
            return
        content = self.hub.repos[repo][commit].get(name)
        if content is None:
            return self._json(404, {}, {"X-Error-Code": "EntryNotFound"})
        length = self._size(name, content) if self.command == "HEAD" else len(content)
        etag = f'"{commit[:6]}-{name}"'
        self._head(200, length, {"ETag": etag, "X-Repo-Commit": commit})
        if self.command == "HEAD":
            return
        if self.hub.cut and len(content) > 10_000:
            content = content[: len(content) // 2]
            self.close_connection = True
        with suppress(ConnectionError):  # who asked did not wait
            for start in range(0, len(content), 200_000):
                time.sleep(self.hub.delay_s)
                self.wfile.write(content[start : start + 200_000])

    def do_POST(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/api/validate-yaml":
            return self._json(200, {"errors": [], "warnings": []})
        if self._user() is None:
            return self._json(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            asked = json.loads(sent)
            kind = f"{asked.get('type') or 'model'}s"
            repo = f"{asked.get('organization') or self._user()}/{asked['name']}"
            self.hub.repos.setdefault(f"{kind}/{repo}", {FIRST: {}})
            return self._json(200, {"url": f"{self.hub.url}/{repo}", "id": repo})
        found = re.fullmatch(
            r"/api/((?:models|datasets)/[^/]+/[^/]+)/(preupload|commit)/main",
            self.path.split("?")[0],
        )
        if not found:
            return self._json(404, {})
        repo, what = found.groups()
        if what == "preupload":
            files = json.loads(sent)["files"]
            modes = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in files
            ]
            return self._json(200, {"files": modes})
        self._write(repo, sent)

    def _write(self, repo: str, sent: bytes) -> None:
        commits = self.hub.repos[repo]
        files = dict(self.hub.newest(repo))
        for line in sent.splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
        oid = f"{len(commits):040x}"
        commits[oid] = files
        url = f"{self.hub.url}/{repo.removeprefix('models/')}/commit/{oid}"
        self._json(200, {"success": True, "commitOid": oid, "commitUrl": url})

    def _user(self) -> str | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        return self.hub.tokens.get(token)

    def _whoami(self) -> None:
        if (name := self._user()) is None:
            return self._json(401, {"error": "Invalid credentials"})
        self._json(200, {"type": "user", "name": name, "fullname": name, "orgs": [], **NOBODY})

    def _json(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self._head(status, len(body), {"Content-Type": "application/json", **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(key, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass
