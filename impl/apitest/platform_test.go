package apitest_test

import (
	"bytes"
	"net/http"
	"testing"

	"parley/gen"
	"parley/impl/testkit"
)

// What third parties download is, byte for byte, what the server enforces.
func TestDocumentIsServedVerbatim(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	for path, want := range map[string][]byte{"/openapi.json": gen.JSON, "/openapi.yaml": gen.YAML, "/asyncapi.yaml": gen.Sockets} {
		got := s.Do(t, testkit.Request{Path: path}).Want(t, http.StatusOK)
		if !bytes.Equal(got.Body, want) {
			t.Errorf("%s is not the bundle", path)
		}
		tag := got.Header.Get("ETag")
		for value, status := range map[string]int{
			tag: http.StatusNotModified, "W/" + tag: http.StatusNotModified, `"old", ` + tag: http.StatusNotModified, "*": http.StatusNotModified,
			`"old"`: http.StatusOK, tag + "x": http.StatusOK,
		} {
			got := s.Do(t, testkit.Request{Path: path, Header: map[string]string{"If-None-Match": value}})
			if got.Status != status {
				t.Errorf("%s with If-None-Match %s: %d, want %d", path, value, got.Status, status)
			}
		}
	}
}

// Probes need no key, and a wrong one does not disturb them.
func TestProbesIgnoreKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	for _, path := range []string{"/healthz", "/readyz", "/status"} {
		s.Do(t, testkit.Request{Path: path, Key: "rubbish"}).Want(t, http.StatusOK)
	}
}
