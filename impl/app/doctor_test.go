package app_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/db/dbtest"
	"parley/impl/app"
	"parley/impl/core/health"
	"parley/impl/core/provider/providertest"
)

// examined is what the doctor says of a server with these options.
func examined(t *testing.T, edit func(*app.Config)) []health.Finding {
	t.Helper()
	cfg := app.Config{
		Listen: "127.0.0.1:0", Data: t.TempDir(), DatabaseURL: dbtest.DSN(t), DatabaseConns: 4, SecretKey: strings.Repeat("k", 40), OIDCDomainsRole: "member",
	}
	edit(&cfg)
	return app.Doctor(t.Context(), cfg, cfg.Check(), slog.New(slog.DiscardHandler)).Findings
}

// found is the worst finding of a check.
func found(findings []health.Finding, check string) (worst health.Finding) {
	for _, f := range findings {
		if f.Check == check && (worst.Rank == "" || worst.Rank == health.Fine || f.Rank == health.Problem) {
			worst = f
		}
	}
	return worst
}

func TestDoctorTellsWhatToFix(t *testing.T) {
	t.Parallel()
	dbtest.New(t) // its schema is current
	u, mute := providertest.NewUpstream(t), providertest.NewUpstream(t)
	mute.AnswersModels(providertest.Status(http.StatusUnauthorized, "bad_key", "no"))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no folder, no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edit              func(*app.Config)
		check, rank, says string
	}{
		"a database that is not there": {func(c *app.Config) { c.DatabaseURL = "postgres://127.0.0.1:1/none?sslmode=disable" }, "database", health.Problem, "connect"},
		"too many connections":         {func(c *app.Config) { c.DatabaseConns = 1000 }, "database", health.Problem, "Postgres admits"},
		"a database for tests alone":   {func(*app.Config) {}, "database", health.Problem, "a crash of the machine"},
		"one clock":                    {func(*app.Config) {}, "clock", health.Fine, "agree"},
		"an empty database":            {func(c *app.Config) { c.DatabaseURL = dbtest.Empty(t) }, "schema", health.Warning, "migrations are to be applied"},
		"a pooler that leads nowhere":  {func(c *app.Config) { c.DatabaseDirect = "postgres://127.0.0.1:1/none?sslmode=disable" }, "database", health.Problem, "DATABASE_DIRECT_URL"},
		"an upstream":                  {func(c *app.Config) { c.Upstream = u.URL }, "upstream", health.Fine, "1 models"},
		"an upstream that refuses":     {func(c *app.Config) { c.Upstream = mute.URL }, "upstream", health.Problem, ""},
		"a blob store":                 {func(*app.Config) {}, "blob store", health.Fine, "written, read and removed"},
		"a blob store that is a file":  {func(c *app.Config) { c.Blobs = file }, "blob store", health.Problem, ""},
		"a data folder that is a file": {func(c *app.Config) { c.Data = file }, "data folder", health.Problem, ""},
		"a certificate that is none":   {func(c *app.Config) { c.TLSCert, c.TLSKey = file, file }, "certificate", health.Problem, ""},
		"mistakes of two options":      {func(c *app.Config) { c.Upstream, c.DatabaseConns = "ftp://x", 1 }, "configuration", health.Problem, "PARLEY_"},
		"options that fit":             {func(*app.Config) {}, "configuration", health.Fine, ""},
		"a key that others may read": {func(c *app.Config) {
			c.SecretKey = ""
			if err := os.WriteFile(filepath.Join(c.Data, "secret.key"), []byte(strings.Repeat("k", 40)), 0o644); err != nil {
				t.Error(err)
			}
		}, "secret key", health.Problem, "may read"},
	} {
		t.Run(name, func(t *testing.T) {
			findings := examined(t, c.edit)
			got := found(findings, c.check)
			if got.Rank != c.rank || !strings.Contains(got.Says, c.says) || (got.Rank != health.Fine && got.Fix == "") {
				t.Errorf("%+v, of %+v", got, findings)
			}
		})
	}
}

// Every mistake is told at once, not the first alone.
func TestDoctorListsAllMistakes(t *testing.T) {
	t.Parallel()
	findings := examined(t, func(c *app.Config) {
		c.Listen, c.Upstream, c.DatabaseConns, c.MetricsListen, c.AddressRate, c.PublicURL = "0.0.0.0:80", "ftp://x", 1, "nowhere", -1, "x"
	})
	told := 0
	for _, f := range findings {
		if f.Check == "configuration" && f.Rank == health.Problem {
			told++
		}
	}
	if told != 6 {
		t.Errorf("%d of 6 mistakes: %+v", told, findings)
	}
}
