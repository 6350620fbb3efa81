//go:build unix

package embedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is whom Postgres runs as.
type account struct {
	uid, gid int
	drop     bool // this process is root and has to change to uid
}

// unprivileged are the accounts that root gives Postgres to, best first.
var unprivileged = []string{"parley", "postgres", "nobody"}

// chooseAccount returns this process's own account, or as root the owner of the
// cluster (so that a folder made by a user still works for that user after root
// used it), or the first of the unprivileged accounts.
func chooseAccount(cluster string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	if info, err := os.Stat(cluster); err == nil {
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 0 {
			return account{uid: int(st.Uid), gid: int(st.Gid), drop: true}, nil
		}
	}
	for _, name := range unprivileged {
		if who, ok := lookupAccount(name); ok {
			return who, nil
		}
	}
	return account{}, fmt.Errorf("postgres does not run as root and none of the accounts %s exists: add one, run as another user, or set DATABASE_URL",
		strings.Join(unprivileged, ", "))
}

func lookupAccount(name string) (account, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, false
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if uidErr != nil || gidErr != nil || uid <= 0 {
		return account{}, false
	}
	return account{uid: uid, gid: gid, drop: true}, true
}

// credential is nil where the child keeps this process's account.
func (a account) credential() *syscall.Credential {
	if !a.drop {
		return nil
	}
	return &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

// own gives path to the account.
func (a account) own(path string) error {
	if !a.drop {
		return nil
	}
	if err := os.Lchown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("give %s to uid %d: %w", path, a.uid, err)
	}
	return nil
}

// adopt gives a cluster that belongs to root, for example a restored copy, to
// the account. Symlinks (tablespaces, a moved pg_wal) are not followed.
func (a account) adopt(cluster string) error {
	info, err := os.Stat(cluster)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if owner == a.uid {
		return nil
	}
	if !a.drop || owner != 0 {
		return fmt.Errorf("the cluster %s belongs to uid %d: run as that user", cluster, owner)
	}
	return filepath.WalkDir(cluster, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, a.own(path))
	})
}
