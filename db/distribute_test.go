package db_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/db"
	"parley/db/dbtest"
)

// Every table has a place in a cluster, that of the rules of the catalogue, and none comes before what it refers to.
func TestEveryTableHasAPlaceInACluster(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	placements, err := d.Placements(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, seen := rawConn(t, dbtest.DSN(t)), map[string]bool{}
	for _, p := range placements {
		var refersTo []string
		if err := raw.Select(&refersTo, `select distinct confrelid::regclass::text from pg_constraint where contype = 'f' and conrelid = $1::regclass and confrelid <> conrelid`, p.Table); err != nil {
			t.Fatal(err)
		}
		for _, other := range refersTo {
			if !seen[other] || strings.Contains(p.SQL, "distributed") && strings.Contains(p.SQL, "'none'") && p.Table != "accounts" {
				t.Errorf("%s comes before %s, to which it refers, or lies elsewhere", p.Table, other)
			}
		}
		seen[p.Table] = true
		whole := !strings.Contains(p.SQL, "create_distributed_table")
		if want := local[p.Table] != "" || p.Table == "jobs"; whole != want {
			t.Errorf("%s is kept whole: %v, want %v", p.Table, whole, want)
		}
	}
	var tables []string
	if err := raw.Select(&tables, `select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace and not relispartition`); err != nil || len(tables) != len(seen) {
		t.Errorf("%d of %d tables, %v", len(seen), len(tables), err)
	}
}

// Distribute refuses plain Postgres. Its walk over the tables is tried with functions of the same names that only note what they are asked for.
func TestTablesAreDistributedOnce(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	if _, err := d.Distribute(t.Context()); !errors.Is(err, db.ErrNoCluster) {
		t.Errorf("on plain Postgres: %v", err)
	}
	raw := rawConn(t, dsn)
	for _, statement := range []string{
		`create schema citus`,
		`create table citus.pg_dist_partition (logicalrelid regclass primary key, col text)`,
		`create function citus.create_reference_table(t regclass) returns void language sql as 'insert into citus.pg_dist_partition values ($1, null)'`,
		`create function citus.create_distributed_table(t regclass, col text, colocate_with text) returns void language sql as 'insert into citus.pg_dist_partition values ($1, $2)'`,
		`do $$ begin execute format('alter database %I set search_path = public, citus', current_database()); end $$`,
	} {
		if _, err := raw.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	other := dbtest.Open(t, dsn, 1)
	first, err := other.Distribute(t.Context())
	again, err2 := other.Distribute(t.Context())
	if err != nil || err2 != nil || first < 50 || again != 0 {
		t.Errorf("moved %d, then %d: %v, %v", first, again, err, err2)
	}
}

// crossingAccounts are the methods whose statements read or change rows of all accounts, with the reason. A cluster asks all its nodes
// for them, and refuses those that lock rows of several accounts in one statement: these need a walk over accounts there.
var crossingAccounts = map[string]string{
	"InsertUserSession": wherever, "DeleteUserSessions": wherever, "DeleteUser": wherever, "InsertOauthToken": wherever, "DeleteKey": wherever,
	"SetPassword": wherever, "DeleteOauthClient": wherever,
	"AppendEvents": "the running answers of one server are stored together: each row names its account",
	"LapsedTurns":  "answers whose server died, of any account: they are only read, and then taken over one by one",
}

// byPlan are those of them that Postgres plans in one way or another, by its statistics.
var byPlan = []string{"AppendEvents"}

// wherever is about tables that are distributed by what they are asked by, and are emptied by account.
const wherever = "ends or counts credentials of one account, which lie on all nodes; rare"

// changing are the methods whose statements decide by the clock of the database, whatever the servers' clocks say. A cluster refuses such a
// function in an update: there the servers' time, as of the coordinator, has to be a parameter.
var changing = map[string]string{
	"Admit": "windows of limits", "TakeRateBatch": "windows of limits", "BeginTurn": "windows of tokens",
}

// volatileCall finds functions that a cluster does not evaluate before it sends an update. Leases use
// statement_timestamp, which is stable: the coordinator does, once for all nodes.
var volatileCall = regexp.MustCompile(`(?i)\b(clock_timestamp|random|gen_random_uuid|timeofday)\(`)

// planNode is what a plan tells of a step that matters here.
type planNode struct {
	Type       string `json:"Node Type"`
	Table      string `json:"Relation Name"`
	Alias      string
	Index      string `json:"Index Cond"`
	Recheck    string `json:"Recheck Cond"`
	Filter     string
	Hash       string `json:"Hash Cond"`
	Merge      string `json:"Merge Cond"`
	JoinFilter string `json:"Join Filter"`
	Plans      []planNode
}

// unbound are the tables that a plan reads without saying of which account.
func (n planNode) unbound(joins string) []string {
	var out []string
	column := "account_id"
	if wide, ok := wider[n.Table+"_pkey"]; ok {
		column = wide
	}
	own := n.Index + " " + n.Recheck + " " + n.Filter
	equal := regexp.MustCompile(`\b` + column + `( = |\)::text = |\)? = ANY)| = \(?(\w+\.)?` + column + `\b`)
	joined := regexp.MustCompile(`\b` + n.Alias + `\.` + column + ` = | = ` + n.Alias + `\.` + column + `\b`)
	if n.Table != "" && n.Type != "ModifyTable" && local[n.Table] == "" && n.Table != "jobs" && !equal.MatchString(own) && !joined.MatchString(joins) {
		out = append(out, n.Table)
	}
	for _, child := range n.Plans {
		out = append(out, child.unbound(joins+" "+n.Hash+" "+n.Merge+" "+n.JoinFilter)...)
	}
	return out
}

// Every statement says of which account the rows are that it reads or changes,
// by the account itself or by joining with rows of it, so that a cluster sends
// it to one node; those that cannot are named with their reason.
func TestStatementsNameTheirAccount(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy, raw := dbtest.NewProxy(t, dsn), rawConn(t, dsn)
	d := dbtest.Open(t, proxy.DSN, 1)
	n := newProjectTenant(t, d)
	proxy.Traffic()
	crossed, changed := map[string]string{}, map[string]string{}
	for _, c := range append(n.crossing(), n.calls()...) {
		if _, err := c.run(t.Context(), d, n.account); err != nil && !errors.Is(err, db.ErrNotFound) {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, statement := range proxy.Traffic().Executed {
			plan := explainAs(t, raw, "(format json) ", statement)
			if plan == "" {
				continue
			}
			var plans []struct{ Plan planNode }
			if err := json.Unmarshal([]byte(plan), &plans); err != nil {
				t.Fatalf("%s: %v\n%s", c.name, err, plan)
			}
			if tables := plans[0].Plan.unbound(""); len(tables) > 0 {
				slices.Sort(tables)
				crossed[c.name] = fmt.Sprint(slices.Compact(tables))
			}
			if volatileCall.MatchString(statement) {
				changed[c.name] = volatileCall.FindString(statement)
			}
		}
	}
	for what, lists := range map[string][2]map[string]string{"reads rows of several accounts in": {crossed, crossingAccounts}, "calls a volatile function in an update:": {changed, changing}} {
		for name, found := range lists[0] {
			if lists[1][name] == "" {
				t.Errorf("%s %s %s", name, what, found)
			}
		}
		for name := range maps.Keys(lists[1]) {
			if lists[0][name] == "" && !slices.Contains(byPlan, name) {
				t.Errorf("%s no longer %s", name, what)
			}
		}
	}
}
