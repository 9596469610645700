"""What Gradio's tunnel client does, on 127.0.0.1: python tunnel.py http -n TOKEN -l PORT -i HOST …

Listens on a port of its own, passes bytes on to HOST:PORT and back, and prints the line by which Gradio
learns the public address. Installed where Gradio keeps the client that it downloads, it makes `--share` run
unchanged.
"""

import asyncio
import stat
import sys
from contextlib import suppress
from pathlib import Path


def install(hf_home: Path) -> dict[str, str]:
    """Puts this file where Gradio looks for its client, below `hf_home`; what to set in the environment."""
    from gradio.tunneling import BINARY_FILENAME

    client = hf_home / "gradio" / "frpc" / BINARY_FILENAME
    client.parent.mkdir(parents=True)
    client.write_text(f"#!{sys.executable}\n{Path(__file__).read_text('utf-8')}", "utf-8")
    client.chmod(client.stat().st_mode | stat.S_IEXEC)
    return {"HF_HOME": str(hf_home), "GRADIO_SHARE_SERVER_ADDRESS": "127.0.0.1:1"}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(host: str, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    own = server.sockets[0].getsockname()[1]
    print(f"start proxy success: http://127.0.0.1:{own}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    at = {flag: sys.argv[sys.argv.index(flag) + 1] for flag in ("-i", "-l")}
    asyncio.run(_serve(at["-i"], int(at["-l"])))
