"""scp.py over paramiko: put|get FLAGS PORT USER KEY LOCAL REMOTE. Exit status 1 if it raises."""
import sys
import warnings

warnings.filterwarnings("ignore")
import paramiko
import scp

if sys.argv[1] == "version":
    print(f"scp.py {scp.__version__}, paramiko {paramiko.__version__}")
    sys.exit(0)
action, flags, port, user, key, local, remote = sys.argv[1:]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", int(port), user, key_filename=key, look_for_keys=False, allow_agent=False)
try:
    with scp.SCPClient(client.get_transport()) as transfer:
        options = {"recursive": "r" in flags, "preserve_times": "p" in flags}
        if action == "put":
            transfer.put(local, remote, **options)
        else:
            transfer.get(remote, local, **options)
except Exception as error:
    print(error, file=sys.stderr)
    sys.exit(1)
finally:
    client.close()
