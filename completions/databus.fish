# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_databus_global_optspecs
    string join \n h/help V/version
end

function __fish_databus_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_databus_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_databus_using_subcommand
    set -l cmd (__fish_databus_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c databus -n "__fish_databus_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c databus -n "__fish_databus_needs_command" -s V -l version -d 'Print version'
complete -c databus -n "__fish_databus_needs_command" -f -a "serve" -d 'Run the daemon'
complete -c databus -n "__fish_databus_needs_command" -f -a "dev" -d 'Run the daemon on a Kafka of its own, to try it out'
complete -c databus -n "__fish_databus_needs_command" -f -a "check" -d 'Say whether the daemon could run with the configuration'
complete -c databus -n "__fish_databus_needs_command" -f -a "reload" -d 'Have the running daemon read its configuration and its grants again'
complete -c databus -n "__fish_databus_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c databus -n "__fish_databus_using_subcommand serve" -l config -d 'The configuration; conf.d/*.toml beside it are read after it' -r -F
complete -c databus -n "__fish_databus_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c databus -n "__fish_databus_using_subcommand dev" -l listen -d 'Where clients come in: IP:PORT, [IPv6]:PORT or unix:/path' -r
complete -c databus -n "__fish_databus_using_subcommand dev" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c databus -n "__fish_databus_using_subcommand check" -l config -d 'The configuration; conf.d/*.toml beside it are read after it' -r -F
complete -c databus -n "__fish_databus_using_subcommand check" -l connect -d 'Ask the store for its apps and grants, and each cluster for its brokers; try the addresses to listen on'
complete -c databus -n "__fish_databus_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c databus -n "__fish_databus_using_subcommand reload" -l config -d 'The configuration; conf.d/*.toml beside it are read after it' -r -F
complete -c databus -n "__fish_databus_using_subcommand reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload help" -f -a "serve" -d 'Run the daemon'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload help" -f -a "dev" -d 'Run the daemon on a Kafka of its own, to try it out'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload help" -f -a "check" -d 'Say whether the daemon could run with the configuration'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload help" -f -a "reload" -d 'Have the running daemon read its configuration and its grants again'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
