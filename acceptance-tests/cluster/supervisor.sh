# Starts the parts of a cluster and ends them, whatever becomes of whom they are started for.
#
# It reads one command a line on its standard input, which is a pipe. The other end of that pipe closes when the process
# that holds it ends, however it ends: then every part is killed, the newest first, and the folder goes. $1 is the folder.

# An answer to whoever is gone must not end this shell.
trap '' PIPE
folder=$1
started=
# Where util-linux is, the kernel keeps the same promise for the case that this shell itself is killed.
leash=
if setpriv --pdeathsig KILL true 2>/dev/null; then leash="setpriv --pdeathsig KILL"; fi

# NAME PROGRAM ARGUMENT...: answers with the process id.
start() {
    log=$folder/$1.log
    shift
    $leash "$@" </dev/null >>"$log" 2>&1 &
    started="$! $started"
    echo "$!"
}

while IFS= read -r line; do eval "$line"; done
for id in $started; do kill -9 "$id" 2>/dev/null; done
# Until they have really ended: their ports are free then, and nobody writes into the folder any more.
wait
# A folder with nothing in it is no reason to keep anything.
rmdir "$folder/keep" 2>/dev/null
if [ -e "$folder/keep" ]; then rm -rf "$folder/etcd"; else rm -rf "$folder"; fi
