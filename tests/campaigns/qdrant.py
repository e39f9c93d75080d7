#!/usr/bin/env python3
"""Collections in Qdrant: qdrant-client's local mode behind a small HTTP front takes what temper sends, and its answers are compared with numpy's.

Usage: qdrant.py PATH_OF_QDRANT_UPSERT   (cmake --build build/release --target qdrant_upsert; pip install qdrant-client h5py numpy)
"""
import hashlib
import http.server
import json
import subprocess
import sys
import tempfile
import threading

import h5py
import numpy
from qdrant_client import QdrantClient, models

client = QdrantClient(":memory:")
requests = []


class Front(http.server.BaseHTTPRequestHandler):
    """The few paths of Qdrant's REST that temper uses, on the client's Python interface."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, result):
        data = json.dumps({"result": result, "status": "ok"} if status == 200 else {"status": {"error": result}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def result(self, body):
        parts = self.path.split("?")[0].strip("/").split("/")
        requests.append(f"{self.command} {self.path}")
        if self.command == "GET" and parts == ["collections"]:
            return {"collections": [{"name": c.name} for c in client.get_collections().collections]}
        if self.command == "GET" and parts == ["aliases"]:
            return {"aliases": [{"alias_name": a.alias_name, "collection_name": a.collection_name} for a in client.get_aliases().aliases]}
        if parts == ["collections", "aliases"]:
            kinds = {"create_alias": (models.CreateAliasOperation, models.CreateAlias), "delete_alias": (models.DeleteAliasOperation, models.DeleteAlias)}
            operations = []
            for action in body["actions"]:
                ((name, fields),) = action.items()
                operation, value = kinds[name]
                operations.append(operation(**{name: value(**fields)}))
            return client.update_collection_aliases(change_aliases_operations=operations)
        name = parts[1]
        if self.command == "PUT" and len(parts) == 2:
            return client.create_collection(name, vectors_config=models.VectorParams(**body["vectors"]))
        if self.command == "DELETE":
            return client.delete_collection(name)
        if parts[2:] == ["points", "count"]:
            return {"count": client.count(name, exact=True).count}
        if self.command == "PUT" and parts[2:] == ["points"]:
            return client.upsert(name, [models.PointStruct(**point) for point in body["points"]]).model_dump(mode="json")
        raise ValueError("no such path")

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        try:
            self.answer(200, self.result(json.loads(self.rfile.read(length) or b"null")))
        except Exception as error:  # pylint: disable=broad-except
            self.answer(400, str(error))

    do_GET = do_PUT = do_POST = do_DELETE = handle_any

    def log_message(self, *ignored):
        pass


def write_collection(path, count, seed):
    """A file as temper features writes it, its seal included."""
    random = numpy.random.default_rng(seed)
    vectors = random.normal(size=(count, 24)).astype("<f4")
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    with h5py.File(path, "w", userblock_size=512, libver=("earliest", "v108")) as file:
        for name, value in {"category": "post", "model": "m"}.items():
            file.attrs[name] = value
        for name, value in {"format_version": 1, "dimensions": 24, "normalized": 1}.items():
            file.attrs.create(name, value, dtype="<i8")
        text = h5py.string_dtype()
        file.create_dataset("ids", data=[f"d{i}#0" for i in range(count)], dtype=text)
        file.create_dataset("documents", data=[f"d{i}" for i in range(count)], dtype=text)
        file.create_dataset("texts", data=[f"text \u00fc {seed} {i}" for i in range(count)], dtype=text)
        file.create_dataset("metadata", data=[json.dumps({"year": 2000 + i % 20}) for i in range(count)], dtype=text)
        file.create_dataset("ordinals", data=numpy.zeros(count, "<i8"))
        file.create_dataset("embeddings", data=vectors)
    data = bytearray(open(path, "rb").read())
    body = bytes(data[512:])
    seal = f"HDF5 file of temper, from byte 512 on {len(body)} bytes of SHA-256\n{hashlib.sha256(body).hexdigest()}\n".encode()
    data[:512] = seal.ljust(512, b"\0")
    open(path, "wb").write(data)
    return vectors


def main():
    program = sys.argv[1]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"

    def upsert(path):
        return json.loads(subprocess.run([program, path, url, "posts"], check=True, capture_output=True, text=True).stdout)

    with tempfile.TemporaryDirectory() as work:
        before = None
        for seed, count in ((1, 1000), (2, 700)):
            path = f"{work}/{seed}.h5"
            vectors = write_collection(path, count, seed)
            result = upsert(path)
            assert result["points"] == count and not result["unchanged"], result
            assert result["deleted"] == ([before] if before else []), result
            aliases = {a.alias_name: a.collection_name for a in client.get_aliases().aliases}
            assert aliases == {"posts": result["collection"]}, aliases
            before = result["collection"]
            for query in numpy.random.default_rng(9).normal(size=(20, 24)).astype("f4"):
                hits = client.query_points("posts", query=query.tolist(), limit=10, with_payload=True).points
                scores = vectors @ (query / numpy.linalg.norm(query))
                best = numpy.argsort(-scores)[:10]
                assert [hit.payload["document"] for hit in hits] == [f"d{i}" for i in best]
                assert max(abs(hit.score - scores[i]) for hit, i in zip(hits, best)) < 1e-5
                assert hits[0].payload["year"] == 2000 + best[0] % 20 and hits[0].payload["text"] == f"text \u00fc {seed} {best[0]}"
            sent = len(requests)
            assert upsert(path)["unchanged"] and not any(r.startswith("PUT") for r in requests[sent:])
        assert [c.name for c in client.get_collections().collections] == [before]
    print(f"qdrant-client takes temper's collections: {len(requests)} requests, 2 collections under one alias, 40 queries as numpy ranks them")


main()
