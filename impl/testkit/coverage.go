package testkit

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"

	"parley/impl/contract"
	"parley/impl/core/credential"
)

// LogEnv names the file to which what was exercised is appended. A path that is
// new for each run also keeps `go test` from answering out of its cache for
// the packages that read it.
const LogEnv = "PARLEY_CONTRACT_LOG"

// Exercise is one line of the log: what an answer has shown of the document.
type Exercise struct {
	Operation string `json:"operation"`
	Status    int    `json:"status"`
	Media     string `json:"media"`    // content type of the answer; "" without a body
	Security  string `json:"security"` // the scheme that carried a credential, "body", or ""
}

var recorded struct {
	sync.Mutex
	seen map[Exercise]bool
	file *os.File
}

// record notes an answer that kept to the document. A log that cannot be
// written is a defect of the run, not of the test: it panics.
func record(o *Operation, r *http.Request, status int, header http.Header) {
	path := os.Getenv(LogEnv)
	if path == "" {
		return
	}
	e := Exercise{Operation: o.OperationID, Status: status, Media: contract.MediaType(header), Security: presented(o, r)}
	recorded.Lock()
	defer recorded.Unlock()
	if recorded.seen[e] {
		return
	}
	if recorded.file == nil {
		var err error
		if recorded.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
			panic(err)
		}
		recorded.seen = map[Exercise]bool{}
	}
	recorded.seen[e] = true
	line, err := json.Marshal(e)
	if err == nil {
		_, err = recorded.file.Write(append(line, '\n')) // one write a line: several test binaries append
	}
	if err != nil {
		panic(err)
	}
}

// presented names the scheme under which the request carried a key.
func presented(o *Operation, r *http.Request) string {
	sent, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.HasPrefix(text, string(credential.AccessToken)) {
		return "oauth2"
	}
	for name, scheme := range loaded().Spec.Components.SecuritySchemes {
		s := scheme.Value
		prefix, _ := s.Extensions["x-key-prefix"].(string)
		switch {
		case s.Type == "http" && strings.EqualFold(s.Scheme, sent),
			s.In == "query" && r.URL.Query().Get(s.Name) != "",
			s.In == "cookie" && sent == "" && len(r.CookiesNamed(s.Name)) > 0,
			s.In == "header" && strings.Contains(r.Header.Get(s.Name), prefix) && r.Header.Get(s.Name) != "":
			return name
		}
	}
	if inBody, _ := o.Extensions["x-api-key-body"].(bool); inBody {
		return "body"
	}
	return ""
}
