# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kubectl_wi_global_optspecs
    string join \n color= kubeconfig= context= cluster= user= n/namespace= as= as-group= as-uid= as-user-extra= s/server= token= username= password= certificate-authority= client-certificate= client-key= insecure-skip-tls-verify= tls-server-name= disable-compression= request-timeout= cache-dir= v/v= h/help V/version
end

function __fish_kubectl_wi_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kubectl_wi_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kubectl_wi_using_subcommand
    set -l cmd (__fish_kubectl_wi_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -s V -l version -d 'Print version'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "inspect" -d 'Show why identity works or does not: the whole chain, root cause first'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "simulate" -d 'Print what the identity webhook would make of objects, without asking it'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "explain" -d 'Explain a rule: what it finds, why that breaks, how to mend it'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s l -l selector -d 'Only workloads whose labels match' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s f -l filename -d 'Inspect manifests instead of a cluster: a file, a directory, or - for standard input' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l issuer -d 'The issuer of the cluster\'s tokens, where it cannot be read' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l timeout -d 'How long reading the cluster may take in all' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l select -d 'Only these rules, by code or prefix' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l ignore -d 'Not these rules, by code or prefix' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l show -d 'The lowest level to show' -r -f -a "info\t'Everything'
warning\t'Warnings and errors'
error\t'Errors'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l fail-on -d 'The lowest level that makes the exit code 1' -r -f -a "info\t'On anything'
warning\t'On warnings and errors'
error\t'On errors'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s o -l output -d 'How to print it: text, wide, json, yaml, jsonl, name; FORMAT=FILE writes to a file; may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s A -l all-namespaces -d 'All namespaces'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s R -l recursive -d 'Read directories with all that is below them'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l as-cluster -d 'The files are the whole cluster: what is not there is absent'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s l -l selector -d 'Only objects whose labels match' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s f -l filename -d 'Simulate manifests: a file, a directory, or - for standard input' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l webhook-version -d 'The webhook\'s version, such as 1.5.1; without it, the one that is installed, else the newest known' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l kubernetes-version -d 'The cluster\'s version, such as 1.31; it decides about native sidecars' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l timeout -d 'How long reading the cluster may take in all' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s o -l output -d 'How to print it' -r -f -a "yaml\t'The objects as they would be'
json\t'A `SimulateReport`'
diff\t'What would change'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s A -l all-namespaces -d 'All namespaces'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s R -l recursive -d 'Read directories with all that is below them'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l as-cluster -d 'The files are the whole cluster: an account that is not there does not exist'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -s o -l output -d 'How to print it' -r -f -a "text\t''
markdown\t''
json\t''"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l all -d 'Explain all rules'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
