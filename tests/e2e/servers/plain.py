# SPDX-License-Identifier: Apache-2.0

"""A server of the standard library alone: a line of JSON a message."""

import json
import os
import platform
import sqlite3
import sys
import tempfile

TOOLS = [{
    "name": "versions",
    "description": "Which Python this is.",
    "inputSchema": {"type": "object"},
}, {
    "name": "scratch",
    "description": "Writes a database into a temporary folder.",
    "inputSchema": {"type": "object"},
}, {
    "name": "peek",
    "description": "Reads a file.",
    "inputSchema": {"type": "object",
                    "properties": {"path": {"type": "string"}}},
}]


def call(name, arguments):
    if name == "versions":
        return platform.python_version()
    if name == "peek":
        with open(arguments["path"], encoding="utf-8") as file:
            return file.read()
    with tempfile.TemporaryDirectory() as folder:
        base = sqlite3.connect(os.path.join(folder, "x.db"))
        base.execute("create table x (y)")
        base.execute("insert into x values (42)")
        base.commit()
        return str(base.execute("select y from x").fetchone()[0])


def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "plain", "version": "1.0.0"}}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        try:
            text = call(params["name"], params.get("arguments", {}))
        except OSError as error:
            return {"content": [{"type": "text", "text": str(error)}],
                    "isError": True}
        return {"content": [{"type": "text", "text": text}]}
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"],
                          "result": answer(message["method"],
                                           message.get("params", {}))}),
              flush=True)
