package app

import (
	"strings"
	"testing"
)

func TestOptionsOfTheIssuerGoTogether(t *testing.T) {
	t.Parallel()
	const issuer, public = "https://login.example", "https://parley.example"
	for name, c := range map[string]struct {
		config Config
		want   string // in the mistake; "" for none
	}{
		"none":                      {Config{}, ""},
		"tokens":                    {Config{OIDCIssuer: issuer, OIDCAudience: "api"}, ""},
		"people":                    {Config{OIDCIssuer: issuer, OIDCClientID: "c", OIDCClientSecret: "s", PublicURL: public}, ""},
		"both":                      {Config{OIDCIssuer: issuer, OIDCAudience: "api", OIDCClientID: "c", PublicURL: public}, ""},
		"a domain":                  {Config{OIDCIssuer: issuer, OIDCClientID: "c", PublicURL: public, OIDCDomains: []string{"a.example"}, OIDCDomainsIn: "acct_1"}, ""},
		"an issuer for nothing":     {Config{OIDCIssuer: issuer}, "PARLEY_OIDC_ISSUER"},
		"an audience of nobody":     {Config{OIDCAudience: "api"}, "PARLEY_OIDC_ISSUER"},
		"a client of nobody":        {Config{OIDCClientID: "c", PublicURL: public}, "PARLEY_OIDC_ISSUER"},
		"nowhere to return to":      {Config{OIDCIssuer: issuer, OIDCClientID: "c"}, "PARLEY_PUBLIC_URL"},
		"a secret of no client":     {Config{OIDCIssuer: issuer, OIDCAudience: "api", OIDCClientSecret: "s"}, "PARLEY_OIDC_CLIENT_SECRET"},
		"a domain without account":  {Config{OIDCIssuer: issuer, OIDCClientID: "c", PublicURL: public, OIDCDomains: []string{"a.example"}}, "PARLEY_OIDC_DOMAINS"},
		"a domain without a client": {Config{OIDCIssuer: issuer, OIDCAudience: "api", OIDCDomains: []string{"a.example"}, OIDCDomainsIn: "acct_1"}, "PARLEY_OIDC_DOMAINS"},
		"everybody an owner":        {Config{OIDCDomainsRole: "owner"}, "PARLEY_OIDC_DOMAINS_ROLE"},
	} {
		err := c.config.checkIssuer()
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
