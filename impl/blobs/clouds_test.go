package blobs_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"parley/impl/blobs"
)

// A store that refuses is an error, whatever it is: nothing is taken for stored, and nothing panics.
func TestAStoreThatRefusesIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "somebody")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("STORAGE_EMULATOR_HOST", server.Listener.Addr().String())
	t.Setenv("AZURE_STORAGE_ACCOUNT", "somebody")
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=somebody;AccountKey=c2VjcmV0;DefaultEndpointsProtocol=http;BlobEndpoint="+server.URL+"/somebody")
	for _, url := range []string{
		"s3://parley?region=eu-central-1&use_path_style=true&disable_https=true&endpoint=" + server.URL, "gs://parley?anonymous=true", "azblob://parley",
	} {
		s, err := blobs.Open(t.Context(), url, newBox(t))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Put(t.Context(), name("x"), 1<<20, writes(make([]byte, 64<<10))); err == nil {
			t.Errorf("%s: stored %d bytes", url, n)
		}
		if _, err := s.Put(t.Context(), name("x"), 4, writes([]byte("too long"))); !errors.Is(err, blobs.ErrTooLarge) {
			t.Errorf("%s: too large: %v", url, err)
		}
		if _, err := read(s, name("x")); !errors.Is(err, blobs.ErrNotFound) {
			t.Errorf("%s: read: %v", url, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}
