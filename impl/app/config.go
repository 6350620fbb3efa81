// Package app builds the server: configuration, database, services, surfaces,
// listener. It is the only place where everything meets; main and the tests
// build the same graph from it.
package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Config is the one table of options. Each is a flag and an environment
// variable; the flag wins. The README's table is made from it.
type Config struct {
	Listen           string        `name:"listen" env:"PARLEY_LISTEN" default:"127.0.0.1:8080" help:"Address to serve on."`
	Data             string        `name:"data" env:"PARLEY_DATA" default:".parley" help:"Folder of the embedded Postgres and of files that must stay."`
	DatabaseURL      string        `name:"database-url" env:"DATABASE_URL" secret:"true" help:"A Postgres to use instead of the embedded one."`
	Blobs            string        `name:"blobs" env:"PARLEY_BLOBS" help:"Where exports and files are kept, encrypted: a folder, s3://bucket?region=…, gs://bucket or azblob://container, the same for all servers. Default: the folder blobs in the data folder."`
	DatabaseDirect   string        `name:"database-direct-url" env:"DATABASE_DIRECT_URL" secret:"true" help:"The same Postgres without a pooler in between, for hearing other servers and for migrations; default: DATABASE_URL."`
	DatabasePlain    bool          `name:"database-unprepared" env:"PARLEY_DATABASE_UNPREPARED" help:"DATABASE_URL leads through a pooler in transaction mode that knows no prepared statements, such as PgBouncer before 1.21; statements are then planned each time."`
	DatabaseConns    int           `name:"database-conns" env:"PARLEY_DATABASE_CONNS" default:"16" help:"Connections to Postgres at most; four per core is a good number."`
	PostgresBin      string        `name:"postgres-bin" env:"PARLEY_POSTGRES_BIN" help:"Folder with initdb and postgres for the embedded Postgres; found by itself when empty."`
	Upstream         string        `name:"upstream" env:"PARLEY_UPSTREAM" help:"Base URL, including /v1, of an OpenAI-compatible API that runs the models."`
	UpstreamKey      string        `name:"upstream-key" env:"PARLEY_UPSTREAM_KEY" secret:"true" help:"Key of the upstream."`
	AllowPrivate     []string      `name:"allow-private-networks" env:"PARLEY_ALLOW_PRIVATE_NETWORKS" sep:"," help:"CIDRs of private networks that outgoing requests may reach; none by default. The upstream is always reachable."`
	PublicURL        string        `name:"public-url" env:"PARLEY_PUBLIC_URL" help:"Where clients reach this server; used in links. Default: the listening address."`
	TrustedProxies   []string      `name:"trusted-proxies" env:"PARLEY_TRUSTED_PROXIES" sep:"," help:"CIDRs of reverse proxies whose X-Forwarded-For names the client."`
	AddressRate      int           `name:"address-rate" env:"PARLEY_ADDRESS_RATE" default:"120" help:"Requests a minute that one address may send to operations that ask for a credential rather than take one, such as /oauth/token; 0 for any number, and for any number of passwords tried from one network."`
	RealtimeSessions int           `name:"realtime-sessions" env:"PARLEY_REALTIME_SESSIONS" default:"5000" help:"Realtime sessions that one account may have open on this server; 0 for any number."`
	RealtimePerKey   int           `name:"realtime-sessions-per-key" env:"PARLEY_REALTIME_SESSIONS_PER_KEY" default:"2500" help:"Realtime sessions that one key, with its ephemeral secrets, may have open on this server; 0 for any number."`
	ChatStepTime     time.Duration `name:"chat-step-timeout" env:"PARLEY_CHAT_STEP_TIMEOUT" default:"10m" help:"How long one answer within a chat's run may take before the run ends in error."`
	ChatRunTime      time.Duration `name:"chat-run-timeout" env:"PARLEY_CHAT_RUN_TIMEOUT" default:"1h" help:"How long a chat's run may go on without a person before it ends in error."`
	TLSCert          string        `name:"tls-cert" env:"PARLEY_TLS_CERT" help:"Certificate file (PEM) to serve HTTPS with. A new one, with its key, is taken within a second."`
	TLSKey           string        `name:"tls-key" env:"PARLEY_TLS_KEY" help:"Key file of the certificate (PEM)."`
	ACMEDomains      []string      `name:"acme-domains" env:"PARLEY_ACME_DOMAINS" sep:"," help:"Names of this server for which it gets certificates itself, by ACME on its own port (tls-alpn-01), which the world must reach as 443. Servers on one database share them. Setting it accepts the terms of the authority."`
	ACMEEmail        string        `name:"acme-email" env:"PARLEY_ACME_EMAIL" help:"Address that the authority writes to when a certificate has a problem."`
	ACMEDirectory    string        `name:"acme-directory" env:"PARLEY_ACME_DIRECTORY" help:"Directory URL of the authority. Default: Let's Encrypt."`
	ACMERoots        string        `name:"acme-roots" env:"PARLEY_ACME_ROOTS" help:"File (PEM) with the roots of an authority of your own."`
	AllowPlainHTTP   bool          `name:"allow-plain-http" env:"PARLEY_ALLOW_PLAIN_HTTP" help:"Serve without TLS on an address that other machines can reach."`
	SecretKey        string        `name:"secret-key" env:"PARLEY_SECRET_KEY" secret:"true" help:"At least 32 bytes that guard the secrets in the database, the same on all servers; change it with parley secrets rotate. Default: a file in the data folder, made on the first start."`
	OIDCIssuer       string        `name:"oidc-issuer" env:"PARLEY_OIDC_ISSUER" help:"URL of an OpenID Connect issuer, exactly as its tokens name it. With an audience its tokens (JWT) are taken beside keys, with a client id it signs people in."`
	OIDCAudience     string        `name:"oidc-audience" env:"PARLEY_OIDC_AUDIENCE" help:"Audience that tokens of the issuer must be meant for."`
	OIDCClientID     string        `name:"oidc-client-id" env:"PARLEY_OIDC_CLIENT_ID" help:"Id of this server as a client of the issuer, to sign people in; the issuer sends them back to /api/v1/sign-in/oidc/callback under PARLEY_PUBLIC_URL."`
	OIDCClientSecret string        `name:"oidc-client-secret" env:"PARLEY_OIDC_CLIENT_SECRET" secret:"true" help:"Secret of that client; none for a public one."`
	OIDCDomains      []string      `name:"oidc-domains" env:"PARLEY_OIDC_DOMAINS" sep:"," help:"Domains of e-mail addresses whose people the issuer may sign in without an invitation; none by default."`
	OIDCDomainsIn    string        `name:"oidc-domains-account" env:"PARLEY_OIDC_DOMAINS_ACCOUNT" help:"Id of the account that they become people of."`
	OIDCDomainsRole  string        `name:"oidc-domains-role" env:"PARLEY_OIDC_DOMAINS_ROLE" enum:"member,admin" default:"member" help:"What they become there: member or admin."`
	OIDCAccount      string        `name:"oidc-account" env:"PARLEY_OIDC_ACCOUNT" help:"Id of the account of tokens that name none; they are refused by default."`
	OIDCAccountClaim string        `name:"oidc-account-claim" env:"PARLEY_OIDC_ACCOUNT_CLAIM" default:"parley_account" help:"Claim that holds the id of a token's account."`
	OIDCScopeClaim   string        `name:"oidc-scope-claim" env:"PARLEY_OIDC_SCOPE_CLAIM" default:"scope" help:"Claim that holds a token's scopes, as a list or separated by spaces."`
	MetricsListen    string        `name:"metrics-listen" env:"PARLEY_METRICS_LISTEN" help:"Address, such as 127.0.0.1:9464, to tell metrics on to Prometheus at /metrics, without a key; none by default. Only who collects them should reach it."`
	ShutdownTimeout  time.Duration `name:"shutdown-timeout" env:"PARLEY_SHUTDOWN_TIMEOUT" default:"30s" help:"How long streams may finish when the server stops."`
	ShutdownDelay    time.Duration `name:"shutdown-delay" env:"PARLEY_SHUTDOWN_DELAY" default:"0s" help:"How long the server goes on serving after it was told to stop, with /readyz at 503, so that balancers send nothing more before it refuses connections."`
	LogFormat        string        `name:"log-format" env:"PARLEY_LOG_FORMAT" enum:"text,json" default:"text" help:"Form of the log on standard error: text or json."`
	LogLevel         string        `name:"log-level" env:"PARLEY_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"Least level that is logged: debug, info, warn or error."`

	// Version is told by metrics and traces.
	Version string `kong:"-"`
	// Beside lets a command use the embedded Postgres that a running server owns.
	Beside bool `kong:"-"`

	allowed, proxies []netip.Prefix
}

// Check validates the options and returns every mistake at once.
func (c *Config) Check() error {
	var mistakes []error
	note := func(err error) {
		if err != nil {
			mistakes = append(mistakes, err)
		}
	}
	var err error
	c.allowed, err = prefixes("PARLEY_ALLOW_PRIVATE_NETWORKS", c.AllowPrivate)
	note(err)
	c.proxies, err = prefixes("PARLEY_TRUSTED_PROXIES", c.TrustedProxies)
	note(err)
	note(checkURL("PARLEY_UPSTREAM", c.Upstream))
	note(checkURL("PARLEY_PUBLIC_URL", c.PublicURL))
	note(checkURL("PARLEY_OIDC_ISSUER", c.OIDCIssuer))
	note(c.checkIssuer())
	note(c.checkListener())
	note(c.checkACME())
	if _, _, err := net.SplitHostPort(c.MetricsListen); c.MetricsListen != "" && err != nil {
		note(fmt.Errorf("PARLEY_METRICS_LISTEN is host:port: %w", err))
	}
	if c.AddressRate < 0 || c.AddressRate > 1_000_000 {
		note(errors.New("PARLEY_ADDRESS_RATE is from 0 to 1000000"))
	}
	if c.ChatStepTime < 0 || c.ChatRunTime < 0 {
		note(errors.New("PARLEY_CHAT_STEP_TIMEOUT and PARLEY_CHAT_RUN_TIMEOUT are times to come"))
	}
	if c.DatabaseConns < 2 || c.DatabaseConns > 1000 {
		note(errors.New("PARLEY_DATABASE_CONNS is from 2 to 1000"))
	}
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		note(fmt.Errorf("PARLEY_DATA: %w", err))
	}
	if c.Blobs == "" {
		c.Blobs = filepath.Join(c.Data, "blobs")
	}
	return errors.Join(mistakes...)
}

// checkIssuer is about what goes together.
func (c *Config) checkIssuer() error {
	for i, domain := range c.OIDCDomains {
		c.OIDCDomains[i] = strings.ToLower(strings.TrimSpace(domain))
	}
	if c.OIDCDomainsRole == "" {
		c.OIDCDomainsRole = "member"
	}
	switch {
	case (c.OIDCIssuer == "") != (c.OIDCAudience == "" && c.OIDCClientID == ""):
		return errors.New("PARLEY_OIDC_ISSUER goes with PARLEY_OIDC_AUDIENCE, PARLEY_OIDC_CLIENT_ID or both")
	case c.OIDCClientID != "" && c.PublicURL == "":
		return errors.New("PARLEY_OIDC_CLIENT_ID needs PARLEY_PUBLIC_URL, to which the issuer sends browsers back")
	case c.OIDCClientSecret != "" && c.OIDCClientID == "":
		return errors.New("PARLEY_OIDC_CLIENT_SECRET goes with PARLEY_OIDC_CLIENT_ID")
	case (len(c.OIDCDomains) > 0) != (c.OIDCDomainsIn != "") || (len(c.OIDCDomains) > 0 && c.OIDCClientID == ""):
		return errors.New("PARLEY_OIDC_DOMAINS, PARLEY_OIDC_DOMAINS_ACCOUNT and PARLEY_OIDC_CLIENT_ID go together")
	case c.OIDCDomainsRole != "member" && c.OIDCDomainsRole != "admin":
		return errors.New("PARLEY_OIDC_DOMAINS_ROLE is member or admin")
	}
	return nil
}

func (c *Config) checkListener() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("PARLEY_LISTEN is host:port: %w", err)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("PARLEY_TLS_CERT and PARLEY_TLS_KEY go together")
	}
	if c.TLSCert != "" || len(c.ACMEDomains) > 0 || c.AllowPlainHTTP || len(c.TrustedProxies) > 0 || isLoopback(host) {
		return nil
	}
	return fmt.Errorf("refusing to serve keys and messages without TLS on %s: set PARLEY_TLS_CERT and PARLEY_TLS_KEY, or PARLEY_ACME_DOMAINS, "+
		"name the reverse proxy in PARLEY_TRUSTED_PROXIES, or set PARLEY_ALLOW_PLAIN_HTTP=true", c.Listen)
}

// checkACME is about what goes together.
func (c *Config) checkACME() error {
	switch {
	case len(c.ACMEDomains) > 0 && c.TLSCert != "":
		return errors.New("PARLEY_ACME_DOMAINS and PARLEY_TLS_CERT exclude each other")
	case len(c.ACMEDomains) == 0 && (c.ACMEEmail != "" || c.ACMEDirectory != "" || c.ACMERoots != ""):
		return errors.New("PARLEY_ACME_EMAIL, PARLEY_ACME_DIRECTORY and PARLEY_ACME_ROOTS go with PARLEY_ACME_DOMAINS")
	}
	return checkURL("PARLEY_ACME_DIRECTORY", c.ACMEDirectory)
}

// TLS tells whether the listener itself speaks TLS.
func (c *Config) TLS() bool { return c.TLSCert != "" || len(c.ACMEDomains) > 0 }

// secure tells whether clients reach the server by HTTPS.
func (c *Config) secure() bool { return c.TLS() || strings.HasPrefix(c.PublicURL, "https://") }

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

func checkURL(name, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%s is an http or https URL", name)
	}
	return nil
}

func prefixes(name string, texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%s is a list of CIDRs such as 10.0.0.0/8: %q is none", name, text)
		}
		out = append(out, p)
	}
	return out, nil
}
