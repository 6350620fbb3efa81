//go:build unix

// Package embedpg runs a private Postgres for a server that was given no
// DATABASE_URL. It owns <DataDir>/postgres (the cluster), postgres.lock,
// postgres.log and socket beside it, and a cache of fetched binaries. It speaks
// no SQL and opens no connection but the probe of [Find].
//
// What it guarantees:
//   - One server per data folder: an flock on postgres.lock.
//   - No data is ever removed. A cluster of another major version, or a folder
//     that is not recognised as a cluster, is refused and left as it is.
//   - A cluster appears under its name only when it is complete and on disk.
//   - Postgres is reachable by a unix socket in a 0700 folder and by nothing else.
//   - On Linux Postgres ends when this process ends, however that happens;
//     elsewhere the next [Start] ends what was left.
//
// Root. Postgres refuses to run as root, so it gets an unprivileged account,
// which may not be able to search the folders above the data folder (/root is
// usually 0700). On Linux a process started by root is therefore handed open
// directories and names them /proc/self/fd/N: that needs no permission on any
// parent, and no folder that is not ours is changed.
//
// Start reading at [Start]; the order of its steps is the order in which a
// failure is cheapest.
package embedpg
