package db

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lib/pq"
)

// ErrNoCluster says that the database is no coordinator of Citus.
var ErrNoCluster = errors.New("the database has no extension citus: create it on the coordinator and add the workers first")

// copied are the tables of which each node of a cluster has a copy: few rows, which all others may refer to.
var copied = []string{"certificates", "plans", "seal_keys", "server_secrets"}

// central are the tables that stay on the coordinator, because their rows are
// taken over all accounts at once or before anybody knows of which account.
var central = []string{"crawl_hosts", "goose_db_version", "jobs", "sign_in_guesses"}

// byValue are the tables that are asked for an account, and the column that they
// are asked by: they are distributed by it.
var byValue = map[string]string{
	"key_hashes": "key_hash", "oauth_secrets": "secret_hash", "oauth_tokens": "token_hash",
	"user_emails": "email", "user_sessions": "session_hash", "user_links": "link_hash",
}

// Placement is where a cluster keeps a table.
type Placement struct {
	Table string // its name
	SQL   string // the statement that puts it there, "" for a table that stays on the coordinator
}

// Placements tells for every table of the schema where Citus is to keep it, those
// that others refer to first. All but a few are distributed by account_id, next to accounts.
func (d *DB) Placements(ctx context.Context) ([]Placement, error) {
	var tables []string
	var references []struct {
		From string `db:"from_table"`
		To   string `db:"to_table"`
	}
	err := d.pool.SelectContext(ctx, &tables, `
		select c.relname
		from pg_class c
		where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not c.relispartition
		order by c.relname`)
	if err == nil {
		err = d.pool.SelectContext(ctx, &references, `
			select f.relname as from_table, t.relname as to_table
			from pg_constraint k
			join pg_class f on f.oid = k.conrelid
			join pg_class t on t.oid = k.confrelid
			where k.contype = 'f' and k.conparentid = 0 and k.conrelid <> k.confrelid and f.relnamespace = 'public'::regnamespace and not f.relispartition`)
	}
	if err != nil {
		return nil, translate(err)
	}
	waitsFor := map[string][]string{}
	for _, r := range references {
		waitsFor[r.From] = append(waitsFor[r.From], r.To)
	}
	var out []Placement
	placed := map[string]bool{}
	for len(out) < len(tables) {
		before := len(out)
		for _, table := range tables {
			if !placed[table] && !slices.ContainsFunc(waitsFor[table], func(other string) bool { return !placed[other] }) {
				placed[table] = true
				out = append(out, Placement{Table: table, SQL: placing(table)})
			}
		}
		if len(out) == before {
			return nil, errors.New("tables refer to each other in a circle")
		}
	}
	return out, nil
}

func placing(table string) string {
	name := pq.QuoteLiteral(table)
	column, own := byValue[table]
	switch {
	case slices.Contains(central, table):
		return ""
	case slices.Contains(copied, table):
		return fmt.Sprintf("select create_reference_table(%s)", name)
	case own:
		return fmt.Sprintf("select create_distributed_table(%s, %s, colocate_with => 'none')", name, pq.QuoteLiteral(column))
	case table == "accounts":
		return fmt.Sprintf("select create_distributed_table(%s, 'account_id', colocate_with => 'none')", name)
	default:
		return fmt.Sprintf("select create_distributed_table(%s, 'account_id', colocate_with => 'accounts')", name)
	}
}

// Distribute puts the tables of the schema on the nodes of a cluster and returns
// how many it moved; those that were moved before stay. It is ErrNoCluster on
// plain Postgres. Servers must not run meanwhile.
func (d *DB) Distribute(ctx context.Context) (int, error) {
	var there bool
	if err := d.pool.GetContext(ctx, &there, `select exists (select from pg_proc where proname = 'create_distributed_table')`); err != nil {
		return 0, translate(err)
	}
	if !there {
		return 0, ErrNoCluster
	}
	placements, err := d.Placements(ctx)
	if err != nil {
		return 0, err
	}
	moved := 0
	for _, p := range placements {
		var done bool
		if err := d.pool.GetContext(ctx, &done, `select exists (select from pg_dist_partition where logicalrelid = $1::regclass)`, p.Table); err != nil {
			return moved, translate(err)
		}
		if done || p.SQL == "" {
			continue
		}
		if _, err := d.pool.ExecContext(ctx, p.SQL); err != nil {
			return moved, fmt.Errorf("distribute %s: %w", p.Table, translate(err))
		}
		moved++
	}
	return moved, nil
}
