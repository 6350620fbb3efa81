//go:build acme

package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// acmeDomain is what the servers of the test are called.
const acmeDomain = "parley.example"

// Two servers on one database get a certificate of an authority that others
// wrote: the first orders it, the second is the one that the authority asks for
// the proof, and both serve the same; after a restart they order none.
func TestCertificatesByACME(t *testing.T) {
	ports := freePorts(t, 6)
	authority := startPebble(t, ports)
	c := newClusterWith(t, 0, "", func(string) []string {
		return []string{"PARLEY_ACME_DOMAINS=" + acmeDomain, "PARLEY_ACME_DIRECTORY=" + authority.directory, "PARLEY_ACME_ROOTS=" + authority.roots}
	})
	c.servers = make([]*process, 2)
	c.start(0)
	c.startAs(1, binary, fmt.Sprintf("PARLEY_LISTEN=127.0.0.1:%d", ports[0])) // where the authority looks
	issued := authority.issuers(t)
	serials := map[string]bool{}
	for round := range 2 {
		for i := range c.servers {
			serials[served(t, c.url(i), issued)] = true
		}
		if round == 0 {
			c.stop(0)
			c.start(0)
		}
	}
	if len(serials) != 1 {
		t.Errorf("%d certificates were served, want one", len(serials))
	}
	var plain int
	if err := c.raw(t).Get(&plain, `select count(*) from certificates where position('PRIVATE KEY' in encode(sealed, 'escape')) > 0`); err != nil || plain != 0 {
		t.Errorf("%d keys are not sealed: %v", plain, err)
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(c.url(0), "https://"), &tls.Config{ServerName: "other.example", RootCAs: issued}); err == nil {
		t.Error("a name that is not ours was served")
	}
}

// served is the serial number of the certificate that a server shows.
func served(t *testing.T, address string, roots *x509.CertPool) string {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: acmeDomain, RootCAs: roots}}}
	defer client.CloseIdleConnections()
	res, err := client.Get(address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return res.TLS.PeerCertificates[0].SerialNumber.String()
}

// pebble is a running authority.
type pebble struct{ directory, roots, management string }

// startPebble runs Pebble and its server of names, which are in PATH.
func startPebble(t *testing.T, ports []int) pebble {
	t.Helper()
	folder := t.TempDir()
	cert, key := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	writePair(t, cert, key)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", ports[1]), "managementListenAddress": fmt.Sprintf("127.0.0.1:%d", ports[2]),
		"certificate": cert, "privateKey": key, "httpPort": ports[3], "tlsPort": ports[0], "ocspResponderURL": "", "externalAccountBindingRequired": false,
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	names := fmt.Sprintf("127.0.0.1:%d", ports[4])
	run(t, exec.Command("pebble-challtestsrv", "-dns01", names, "-management", fmt.Sprintf("127.0.0.1:%d", ports[5]), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""))
	authority := exec.Command("pebble", "-config", file, "-dnsserver", names)
	authority.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	run(t, authority)
	p := pebble{directory: fmt.Sprintf("https://127.0.0.1:%d/dir", ports[1]), management: fmt.Sprintf("https://127.0.0.1:%d", ports[2]), roots: cert}
	eventually(t, "the authority answers", 30*time.Second, func() bool {
		conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(p.directory, "https://"), "/dir"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return p
}

// writePair makes the certificate that the authority itself serves with.
func writePair(t *testing.T, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run starts a program that ends with the test.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatalf("run `make acme-check`, which installs Pebble: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

// issuers are the roots and intermediates under which the authority issues.
func (p pebble) issuers(t *testing.T) *x509.CertPool {
	t.Helper()
	raw, err := os.ReadFile(p.roots)
	if err != nil {
		t.Fatal(err)
	}
	own, pool := x509.NewCertPool(), x509.NewCertPool()
	own.AppendCertsFromPEM(raw)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own}}}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/roots/0", "/intermediates/0"} {
		res, err := client.Get(p.management + path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if block, _ := pem.Decode(raw); err != nil || block == nil || !pool.AppendCertsFromPEM(raw) {
			t.Fatalf("%s: %v\n%s", path, err, raw)
		}
	}
	return pool
}
