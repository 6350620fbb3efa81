package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"syscall"
	"time"

	"parley/db"
)

const (
	// expiresSoon is before a certificate's end when somebody should have renewed it.
	expiresSoon = 14 * 24 * time.Hour
	// descriptorsFew is a number of open files that some thousand streams exhaust.
	descriptorsFew = 8192
	// randomPagesMax is a random_page_cost that still has the planner use indexes on small tables.
	randomPagesMax = 2
	// postgresOldest is the oldest major version that migrations and statements are tried on.
	postgresOldest = 140000
)

// postgres judges what the database says of itself.
func (d *doctor) postgres(found db.Diagnosis) {
	says := fmt.Sprintf("PostgreSQL %s, %.1f ms away, %d MB.", found.Version, float64(found.Latency.Microseconds())/1000, found.Bytes>>20)
	before := len(d.Findings)
	for _, rule := range []struct {
		broken    bool
		problem   bool
		says, fix string
	}{
		{found.VersionNum < postgresOldest, true, "PostgreSQL " + found.Version + " is older than 14.", "Move to a newer one: see Back up, restore, move in the README."},
		{found.Encoding != "UTF8", true, "The database's encoding is " + found.Encoding + ".", "Make a database with encoding 'UTF8'."},
		{found.ReadOnly, true, "The database only reads.", "Name the primary in DATABASE_URL, not a standby."},
		{!found.MayCreate, true, "The user may not make tables.", "grant create on schema public to the user of DATABASE_URL."},
		{!found.Fsync, true, "fsync is off: a crash of the machine can lose everything.", "Set fsync = on."},
		{!found.FullPages, true, "full_page_writes is off: a crash of the machine can damage tables.", "Set full_page_writes = on."},
		{found.Committed == "off", true, "synchronous_commit is off: what was acknowledged can be lost.", "Set synchronous_commit = on."},
		{!found.Autovacuum, true, "autovacuum is off: tables grow until transactions run out.", "Set autovacuum = on."},
		{found.WrapsIn < wrapsSoon, true, fmt.Sprintf("Postgres stops writing in %d transactions.", found.WrapsIn), "Run vacuum in this database, and see why autovacuum did not."},
		{found.Connections < d.cfg.DatabaseConns, true,
			fmt.Sprintf("The server may open %d connections, Postgres admits %d.", d.cfg.DatabaseConns, found.Connections), "Raise max_connections, or lower PARLEY_DATABASE_CONNS on every server."},
		{found.Connections-found.Used < d.cfg.DatabaseConns && found.Connections >= d.cfg.DatabaseConns, false,
			fmt.Sprintf("%d of %d connections are in use; another server with %d may not get all of its own.", found.Used, found.Connections, d.cfg.DatabaseConns),
			"Raise max_connections, or lower PARLEY_DATABASE_CONNS on every server."},
		{found.RandomPages > randomPagesMax, false, fmt.Sprintf("random_page_cost is %g, as for disks with a moving head: some searches read whole tables.", found.RandomPages),
			"Set random_page_cost = 1.1 where the database is on flash."},
		{found.Latency > slowDatabase, false, says, "Move the server closer to the database: every request waits for four statements."},
	} {
		switch {
		case rule.broken && rule.problem:
			d.Problem("database", rule.says, rule.fix)
		case rule.broken:
			d.Warn("database", rule.says, rule.fix)
		}
	}
	if len(d.Findings) == before {
		d.Fine("database", says)
	}
}

// certificate looks at the files of the certificate.
func (d *doctor) certificate() {
	if d.cfg.TLSCert == "" || d.cfg.TLSKey == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(d.cfg.TLSCert, d.cfg.TLSKey)
	if err != nil {
		d.Problem("certificate", err.Error(), "PARLEY_TLS_CERT is the chain in PEM, the server's own first; PARLEY_TLS_KEY its key.")
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		d.Problem("certificate", err.Error(), "Get another certificate.")
		return
	}
	host := ""
	if u, err := url.Parse(d.cfg.PublicURL); err == nil {
		host = u.Hostname()
	}
	left := time.Until(leaf.NotAfter)
	switch {
	case left <= 0:
		d.Problem("certificate", "It ended "+leaf.NotAfter.Format(time.RFC3339)+".", "Renew it.")
	case time.Now().Before(leaf.NotBefore):
		d.Problem("certificate", "It begins "+leaf.NotBefore.Format(time.RFC3339)+".", "See whether this machine's clock is right.")
	case host != "" && leaf.VerifyHostname(host) != nil:
		d.Problem("certificate", "It is not for "+host+".", "Get one for the host of PARLEY_PUBLIC_URL.")
	case left < expiresSoon:
		d.Warn("certificate", "It ends "+leaf.NotAfter.Format(time.RFC3339)+".", "Renew it.")
	default:
		d.Fine("certificate", "It lasts until "+leaf.NotAfter.Format(time.RFC3339)+".")
	}
}

// descriptors looks at how many files and connections the process may open.
func (d *doctor) descriptors() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	if limit.Max < descriptorsFew {
		d.Warn("open files", fmt.Sprintf("The process may open %d files; every stream takes one.", limit.Max), "Raise the limit (ulimit -n, LimitNOFILE of systemd).")
		return
	}
	d.Fine("open files", "The process may open enough for its streams.")
}

// freeBytes is how much a user without privileges can still write to the disk of a folder.
func freeBytes(folder string) (uint64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", folder, err)
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}
