"""asyncssh's scp: put|get FLAGS PORT USER KEY LOCAL REMOTE. Exit status 1 if it raises."""
import asyncio
import sys
import warnings

warnings.filterwarnings("ignore")
import asyncssh

if sys.argv[1] == "version":
    print(f"asyncssh {asyncssh.__version__}")
    sys.exit(0)
action, flags, port, user, key, local, remote = sys.argv[1:]


async def main():
    async with asyncssh.connect(
        "127.0.0.1", int(port), username=user, client_keys=[key], known_hosts=None, config=None, agent_path=None
    ) as connection:
        options = {"recurse": "r" in flags, "preserve": "p" in flags}
        if action == "put":
            await asyncssh.scp(local, (connection, remote), **options)
        else:
            await asyncssh.scp((connection, remote), local, **options)


try:
    asyncio.run(main())
except Exception as error:
    print(error, file=sys.stderr)
    sys.exit(1)
