package apitest_test

import (
	"net/http"
	"testing"

	"parley/impl/testkit"
)

// A form ends with its last boundary; one that ends in a part is not what was sent.
func TestFormsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	const file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"hours.txt\"\r\n\r\n"
	for name, c := range map[string]struct {
		path, body string
		want       int
	}{
		"no part at all":           {"/api/v1/user", "--b--\r\n", http.StatusOK},
		"nothing":                  {"/api/v1/user", "", http.StatusBadRequest},
		"cut in a part":            {"/api/v1/documents", file + "We open at", http.StatusBadRequest},
		"an empty file":            {"/api/v1/documents", file + "\r\n--b--\r\n", http.StatusBadRequest},
		"a whole file":             {"/api/v1/documents", file + "We open at nine.\r\n--b--\r\n", http.StatusCreated},
		"a file nobody asked for":  {"/api/v1/user", file + "We open at nine.\r\n--b--\r\n", http.StatusOK},
		"no form but its boundary": {"/api/v1/user", "--c--\r\n", http.StatusBadRequest},
	} {
		got := x.do(t, testkit.Request{Method: http.MethodPost, Path: c.path, Body: c.body, Header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}})
		if got.Status != c.want {
			t.Errorf("%s: status %d, want %d: %s", name, got.Status, c.want, got.Body)
		}
	}
}
