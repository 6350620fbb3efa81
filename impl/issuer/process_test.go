package issuer_test

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
)

// issuerEnv makes the test binary the issuer.
const issuerEnv = "PARLEY_TEST_ISSUER"

func TestMain(m *testing.M) {
	if os.Getenv(issuerEnv) != "" {
		if err := serveIssuer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// issuing is the issuer's own process: go-oidc's test server behind a mutex,
// with handlers to rotate its key, to sign, to count how often it is asked, and for the authorization code flow.
type issuing struct {
	mu    sync.Mutex
	url   string
	n     int
	key   crypto.Signer
	kid   string
	alg   string
	serve *oidctest.Server
	asked atomic.Int64
	codes codes
}

// rotate replaces the signing key; the former one is no longer published.
func (i *issuing) rotate() error {
	var key crypto.Signer
	var err error
	i.alg = oidc.RS256
	if i.n++; i.n%2 == 0 {
		i.alg = oidc.ES256
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return err
	}
	i.key, i.kid = key, fmt.Sprintf("key-%d", i.n)
	i.serve = &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: i.kid, Algorithm: i.alg}}}
	i.serve.SetIssuer(i.url)
	return nil
}

func (i *issuing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.URL.Path {
	case "/rotate":
		if err := i.rotate(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	case "/sign":
		claims, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		kid := i.kid
		if named := r.URL.Query().Get("kid"); named != "" {
			kid = named
		}
		fmt.Fprint(w, oidctest.SignIDToken(i.key, kid, i.alg, string(claims)))
	case "/asked":
		fmt.Fprint(w, i.asked.Load())
	case "/person":
		i.codes.become(w, r)
	case "/auth":
		i.codes.authorize(w, r)
	case "/token":
		i.token(w, r)
	default:
		i.asked.Add(1)
		i.serve.ServeHTTP(w, r)
	}
}

func serveIssuer() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	i := &issuing{url: "http://" + l.Addr().String()}
	if err := i.rotate(); err != nil {
		return err
	}
	fmt.Println(i.url)
	go func() { // its parent's end is its own
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, i)
}

// process is a running issuer.
type process struct {
	url string
	end func()
}

func startIssuer(t *testing.T) process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), issuerEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait() // it ends with its input
	})
	t.Cleanup(end)
	return process{url: strings.TrimSpace(url), end: end}
}

func (p process) call(t *testing.T, path string, body any) string {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(p.url+path, "application/json", strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, res.StatusCode, answer, err)
	}
	return string(answer)
}

// sign makes a token of the issuer; edits change its claims, nil takes one out.
func (p process) sign(t *testing.T, query string, edits map[string]any) string {
	t.Helper()
	return p.call(t, "/sign"+query, p.claims(edits))
}
