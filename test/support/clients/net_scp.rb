# Net::SCP: put|get FLAGS PORT USER KEY LOCAL REMOTE. Exit status 1 if it raises.
require 'net/scp'

if ARGV[0] == 'version'
  puts "Ruby net-scp #{Gem.loaded_specs['net-scp']&.version || Gem::Specification.find_by_name('net-scp').version}"
  exit 0
end
action, flags, port, user, key, local, remote = ARGV
options = { port: port.to_i, keys: [key], keys_only: true, auth_methods: ['publickey'], config: false,
            verify_host_key: :never, use_agent: false, non_interactive: true }
begin
  Net::SSH.start('127.0.0.1', user, options) do |ssh|
    scp = { recursive: flags.include?('r'), preserve: flags.include?('p') }
    if action == 'put'
      ssh.scp.upload!(local, remote, scp)
    else
      ssh.scp.download!(remote, local, scp)
    end
  end
rescue StandardError => e
  warn e.message
  exit 1
end
