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
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "fix" -d 'Repair what inspect finds: shows the change, asks, makes it, looks again'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "exec-probe" -d 'Prove it from inside the pod: the token file, the token, and with --exchange Entra\'s answer'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "probe" -d 'Prove it from inside the pod: the token file, the token, and with --exchange Entra\'s answer'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "simulate" -d 'Print what the identity webhook would make of objects, without asking it'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "explain" -d 'Explain a rule: what it finds, why that breaks, how to mend it'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "rbac" -d 'Print the least Kubernetes roles that the features need'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "completion" -d 'Print a completion script, or let kubectl complete the plugin'
complete -c kubectl-wi -n "__fish_kubectl_wi_needs_command" -f -a "version" -d 'Print the version and the webhook releases that are known'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s l -l selector -d 'Only workloads whose labels match' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s f -l filename -d 'Read manifests instead of a cluster: a file, a directory, or - for standard input; may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l issuer -d 'The issuer of the cluster\'s tokens, where it cannot be read' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l timeout -d 'How long reading the cluster may take in all' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l azure -d 'Ask Azure about credentials, identities and roles; auto, the default for single objects of a cluster, uses a login that is there' -r -f -a "auto\t'With a login that is there, for 3 seconds at most'
yes\t'An answer is needed'
no\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l subscription -d 'Only this subscription, by id or name; may be repeated; without it, all that the login sees' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l tenant -d 'The tenant of the login' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l azure-credential -d 'The login: auto, cli (az), env (a service principal in the environment), workload-identity, azd' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l cloud -d 'Which Azure: public, usgov, china; without it, the one that az is set to' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l arm-endpoint -d 'Azure Resource Manager at another address' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l logs -d 'Read logs, this run\'s and the one before, of all containers: auto (of named workloads that are not ready, restart or fail), no, or how many lines of each; without a value 500' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l log-file -d 'A log that was saved, of the workload that is named or the only one; - for standard input; may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l select -d 'Only these rules, by code or prefix' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l ignore -d 'Not these rules, by code or prefix' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l show -d 'The lowest level to show' -r -f -a "info\t'Everything'
warning\t'Warnings and errors'
error\t'Errors'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l fail-on -d 'The lowest level that makes the exit code 1' -r -f -a "info\t'On anything'
warning\t'On warnings and errors'
error\t'On errors'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l redact -d 'Replace names, hosts and GUIDs by stand-ins, to show the report to others; markdown does it unless told no' -r -f -a "yes\t'Always'
no\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s o -l output -d 'How to print it: text, wide, json, yaml, jsonl, sarif, github, markdown, name; FORMAT=FILE writes to a file; may be repeated' -r
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
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l as-applied -d 'What would be, once the files were applied: they are laid over the cluster'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l ask-server -d 'Ask the API server for a pod of each named workload, without creating it, and compare'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -l no-secrets -d 'Leave Secrets alone; without it, those that applications name are fetched, and of their values ids alone are kept'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s l -l selector -d 'Only workloads whose labels match' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l only -d 'Only these rules, by code or prefix; without it, all warnings and errors' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l client-id -d 'The client id for accounts that lack one' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l tenant-id -d 'The tenant id for accounts that lack one' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l service-account -d 'The service account for workloads that name the wrong one' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s c -l container -d 'Containers that need identity, for workloads that tell the webhook to skip them' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l dry-run -d 'Change nothing: `client` only plans, `server` also lets the API server try it' -r -f -a "none\t'Make the changes'
client\t'Only plan'
server\t'Let the API server try them'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l restart -d 'Whether pods may be restarted; with --yes and without single names, only `yes` restarts' -r -f -a "ask\t'As the question is answered'
yes\t'Yes'
no\t'No: leave what restarts pods'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l subscription -d 'Only this subscription, by id or name; may be repeated; without it, all that the login sees' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l tenant -d 'The tenant of the login' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l azure-credential -d 'The login: auto, cli (az), env (a service principal in the environment), workload-identity, azd' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l cloud -d 'Which Azure: public, usgov, china; without it, the one that az is set to' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l arm-endpoint -d 'Azure Resource Manager at another address' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l timeout -d 'How long all of it may take; without it, 30s to read and 5m to wait' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l export -d 'Change nothing and write the change for another tool' -r -f -a "kubectl\t'Commands of kubectl'
kustomize\t'A kustomization with patches'
helm\t'Helm values'
yaml\t'The whole changed objects, ready to be created or replaced'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l undo -d 'Take back what a run changed; without an ID, the last one' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s o -l output -d 'How to print it: text, json, yaml; FORMAT=FILE writes to a file; may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s f -l filename -d 'Fix manifests in place: a file, a directory, or - to write the fixed stream to standard output; may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s A -l all-namespaces -d 'All namespaces'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s R -l recursive -d 'Read directories with all that is below them'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l as-cluster -d 'The files are the whole cluster: what is not there is absent'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l diff -d 'Show what would be changed and change nothing'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s y -l yes -d 'Say yes to the plan that is shown'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l live -d 'Patch the cluster also where Argo CD or Flux will take it back: a stop-gap'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l azure -d 'Create or correct federated credentials in Azure, too: each after its diff and a yes of its own, which --yes gives'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l wait -d 'Wait until the changed pods are ready, and until Entra takes the token of a changed credential; then look again'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -l history -d 'List what was changed before'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand fix" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -s c -l container -d 'This container; without it, every one that is told of a token file' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l pod -d 'This pod; without it, one that runs' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l method -d 'How to come by the token' -r -f -a "auto\t'In the container; else, after a yes, from an ephemeral one; else from the API server'
exec\t'Read the file with what the image has'
ephemeral\t'Read it from an ephemeral container, which stays listed in the pod'
token-request\t'Ask the API server for a token like the one in the file'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l image -d 'Image of the ephemeral container: it needs sh, sleep and cat' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l samples -d 'How often to exchange it, a second apart' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l resource -d 'What the access token is to be for; without it, Azure\'s resource manager' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l for -d 'The same, by name: storage, keyvault, servicebus, arm, sql, postgres' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l authority-host -d 'Send the token there, also where it is none of Microsoft\'s hosts' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l tenant -d 'The tenant, where the container does not say' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l issuer -d 'The issuer of the cluster\'s tokens, where it cannot be read' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l timeout -d 'How long reading the cluster may take before the probe' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -s o -l output -d 'How to print it: text, wide, json, yaml, jsonl, name; FORMAT=FILE writes to a file; may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l all-pods -d 'Every pod of the workload'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -l exchange -d 'Exchange the token at the authority host, from this machine'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand exec-probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -s c -l container -d 'This container; without it, every one that is told of a token file' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l pod -d 'This pod; without it, one that runs' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l method -d 'How to come by the token' -r -f -a "auto\t'In the container; else, after a yes, from an ephemeral one; else from the API server'
exec\t'Read the file with what the image has'
ephemeral\t'Read it from an ephemeral container, which stays listed in the pod'
token-request\t'Ask the API server for a token like the one in the file'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l image -d 'Image of the ephemeral container: it needs sh, sleep and cat' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l samples -d 'How often to exchange it, a second apart' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l resource -d 'What the access token is to be for; without it, Azure\'s resource manager' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l for -d 'The same, by name: storage, keyvault, servicebus, arm, sql, postgres' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l authority-host -d 'Send the token there, also where it is none of Microsoft\'s hosts' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l tenant -d 'The tenant, where the container does not say' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l issuer -d 'The issuer of the cluster\'s tokens, where it cannot be read' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l timeout -d 'How long reading the cluster may take before the probe' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -s o -l output -d 'How to print it: text, wide, json, yaml, jsonl, name; FORMAT=FILE writes to a file; may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l all-pods -d 'Every pod of the workload'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -l exchange -d 'Exchange the token at the authority host, from this machine'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand probe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s l -l selector -d 'Only workloads whose labels match' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s f -l filename -d 'Read manifests instead of a cluster: a file, a directory, or - for standard input; may be repeated' -r
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
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -l as-cluster -d 'The files are the whole cluster: what is not there is absent'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -s o -l output -d 'How to print it' -r -f -a "text\t''
markdown\t''
json\t''"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand explain" -l redact -d 'Replace names, hosts and GUIDs of a pasted text by stand-ins; markdown does it unless told no' -r -f -a "yes\t'Always'
no\t'Never'"
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
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l for -d 'The features: inspect (simulate included), exec-probe, fix, azure; a role for each' -r -f -a "inspect\t'Read everything that a verdict needs'
exec-probe\t'Run a reader in pods, ask for tokens'
fix\t'Change workloads, accounts and what configures applications'
azure\t'Ask Azure, and correct federated credentials: commands of the Azure CLI'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l in -d 'Only for one namespace: a Role there, and what has to be read elsewhere' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -l no-secrets -d 'Without the right to fetch Secrets by name, for inspect --no-secrets'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand rbac" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -l install -d 'Write the shim beside the plugin; with kubectl only'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand completion" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -s o -l output -d 'How to print it' -r -f -a "text\t''
json\t''"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l kubeconfig -d 'Path to the kubeconfig file to use' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l context -d 'The name of the kubeconfig context to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l cluster -d 'The name of the kubeconfig cluster to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l user -d 'The name of the kubeconfig user to use' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -s n -l namespace -d 'The namespace; without it, that of the context' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l as -d 'Username to impersonate, a user or a service account in a namespace' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l as-group -d 'Group to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l as-user-extra -d 'Extra of the user to impersonate, may be repeated' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -s s -l server -d 'The address and port of the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l token -d 'Bearer token for authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l username -d 'Username for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l password -d 'Password for basic authentication to the API server' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l certificate-authority -d 'Path to a certificate file for the certificate authority' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l client-certificate -d 'Path to a client certificate file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l client-key -d 'Path to a client key file for TLS' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate; the connection is insecure then' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l tls-server-name -d 'Server name to check the API server\'s certificate against' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l disable-compression -d 'Do not ask the API server to compress its answers' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l request-timeout -d 'How long one request may take (5s, 2m; 0 for no limit); without it, 10s to read and 15s to write' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -l cache-dir -d 'Accepted for kubectl\'s sake; nothing is cached' -r -F
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -s v -l v -d 'How much to tell on standard error: from 6 on, every request with its answer\'s code' -r
complete -c kubectl-wi -n "__fish_kubectl_wi_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
