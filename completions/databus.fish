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
complete -c databus -n "__fish_databus_needs_command" -f -a "pub" -d 'Publish lines of stdin, or files'
complete -c databus -n "__fish_databus_needs_command" -f -a "sub" -d 'Print the messages that a group is to read, and mark them'
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
complete -c databus -n "__fish_databus_using_subcommand pub" -l url -d 'Daemon and identity in one: redis://KEY:SECRET@HOST:PORT/GROUP?topic=TOPIC&color=COLOUR, rediss:// with TLS, or unix://KEY:SECRET@/PATH?group=GROUP&topic=TOPIC [default: $DATABUS_URL]' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l server -d 'Where the daemon is: HOST:PORT, [IPv6]:PORT or unix:/PATH [default: 127.0.0.1:6205]' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l app -d 'The app\'s key' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l secret-file -d 'A file with the app\'s secret as its only line, which others may not read [default: $DATABUS_SECRET]' -r -F
complete -c databus -n "__fish_databus_using_subcommand pub" -l group -d 'The group that has the grant' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l topic -d 'The topic' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l color -d 'The colour, which splits a topic into lanes' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l ca -d 'Speak TLS, and trust this CA, in PEM' -r -F
complete -c databus -n "__fish_databus_using_subcommand pub" -l certificate -d 'Speak TLS, and show this certificate, in PEM' -r -F
complete -c databus -n "__fish_databus_using_subcommand pub" -l certificate-key -d 'The key of that certificate, in PEM' -r -F
complete -c databus -n "__fish_databus_using_subcommand pub" -l give-up -d 'Give up when the daemon cannot be reached for so long, e.g. 30s, or never [default: 1m; sub: never, once it was connected]' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l key -d 'The key of all messages' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l key-separator -d 'What separates a message\'s key from its value: the first of it; \\t, \\n, \\0, \\xHH are known' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l metadata -d 'Metadata of all messages; may be there several times' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l null-value -d 'A value that is this is a null value, which deletes the key\'s record in compacted topics' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l file -d 'Each of these files is a message, instead of stdin\'s lines; - is all of stdin' -r -F
complete -c databus -n "__fish_databus_using_subcommand pub" -l delimiter -d 'What messages end with, instead of a newline' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l rate -d 'Messages a second at most' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l window -d 'How many messages may be unanswered at a time' -r
complete -c databus -n "__fish_databus_using_subcommand pub" -l on-doubt -d 'What to do when messages may have been written and nobody knows: stop, report them and go on, or retry: send them again' -r -f -a "stop\t''
report\t''
retry\t''"
complete -c databus -n "__fish_databus_using_subcommand pub" -l tls -d 'Speak TLS, and trust the system\'s CAs; over TCP only'
complete -c databus -n "__fish_databus_using_subcommand pub" -s q -l quiet -d 'Say nothing of connections that are tried again, and show no progress'
complete -c databus -n "__fish_databus_using_subcommand pub" -l delete -d 'Each message is a key whose record is deleted: a null value, for compacted topics'
complete -c databus -n "__fish_databus_using_subcommand pub" -s 0 -l null -d 'Messages end with a zero byte'
complete -c databus -n "__fish_databus_using_subcommand pub" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c databus -n "__fish_databus_using_subcommand sub" -l url -d 'Daemon and identity in one: redis://KEY:SECRET@HOST:PORT/GROUP?topic=TOPIC&color=COLOUR, rediss:// with TLS, or unix://KEY:SECRET@/PATH?group=GROUP&topic=TOPIC [default: $DATABUS_URL]' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l server -d 'Where the daemon is: HOST:PORT, [IPv6]:PORT or unix:/PATH [default: 127.0.0.1:6205]' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l app -d 'The app\'s key' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l secret-file -d 'A file with the app\'s secret as its only line, which others may not read [default: $DATABUS_SECRET]' -r -F
complete -c databus -n "__fish_databus_using_subcommand sub" -l group -d 'The group that has the grant' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l topic -d 'The topic' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l color -d 'The colour, which splits a topic into lanes' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l ca -d 'Speak TLS, and trust this CA, in PEM' -r -F
complete -c databus -n "__fish_databus_using_subcommand sub" -l certificate -d 'Speak TLS, and show this certificate, in PEM' -r -F
complete -c databus -n "__fish_databus_using_subcommand sub" -l certificate-key -d 'The key of that certificate, in PEM' -r -F
complete -c databus -n "__fish_databus_using_subcommand sub" -l give-up -d 'Give up when the daemon cannot be reached for so long, e.g. 30s, or never [default: 1m; sub: never, once it was connected]' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l format -d 'How messages are printed: pretty, for people; json, a line each, as MGET gives it; raw, the value\'s bytes [default: pretty on a terminal, else json]' -r -f -a "pretty\t''
json\t''
raw\t''"
complete -c databus -n "__fish_databus_using_subcommand sub" -l count -d 'End after so many messages' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l idle -d 'End when no message came for so long, e.g. 10s' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l from -d 'Where a group begins that has nothing marked yet: oldest or newest [default: as the daemon does, newest]' -r -f -a "oldest\t''
newest\t''"
complete -c databus -n "__fish_databus_using_subcommand sub" -l delimiter -d 'With --format raw: what each message ends with, instead of a newline; \\t, \\n, \\0, \\xHH are known' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l key-separator -d 'With --format raw: print the key too, and this behind it' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l null-value -d 'With --format raw: what to print for a null value [default: nothing]' -r
complete -c databus -n "__fish_databus_using_subcommand sub" -l tls -d 'Speak TLS, and trust the system\'s CAs; over TCP only'
complete -c databus -n "__fish_databus_using_subcommand sub" -s q -l quiet -d 'Say nothing of connections that are tried again, and show no progress'
complete -c databus -n "__fish_databus_using_subcommand sub" -l no-mark -d 'Mark nothing: what is printed comes again, to whoever reads the group next'
complete -c databus -n "__fish_databus_using_subcommand sub" -s 0 -l null -d 'With --format raw: each message ends with a zero byte'
complete -c databus -n "__fish_databus_using_subcommand sub" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload pub sub help" -f -a "serve" -d 'Run the daemon'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload pub sub help" -f -a "dev" -d 'Run the daemon on a Kafka of its own, to try it out'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload pub sub help" -f -a "check" -d 'Say whether the daemon could run with the configuration'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload pub sub help" -f -a "reload" -d 'Have the running daemon read its configuration and its grants again'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload pub sub help" -f -a "pub" -d 'Publish lines of stdin, or files'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload pub sub help" -f -a "sub" -d 'Print the messages that a group is to read, and mark them'
complete -c databus -n "__fish_databus_using_subcommand help; and not __fish_seen_subcommand_from serve dev check reload pub sub help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
