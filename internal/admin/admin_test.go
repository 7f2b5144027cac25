package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(h http.Handler, method, path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func source(ready error) Source {
	return Source{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "figures") }),
		Ready:   func() error { return ready },
	}
}

func TestPages(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		ready        error
		code         int
		body         string
	}{
		{"GET", "/metrics", nil, 200, "figures"},
		{"GET", "/healthz", errors.New("stopping"), 200, "ok"},
		{"GET", "/readyz", nil, 200, "ready"},
		{"GET", "/readyz", errors.New("stopping"), 503, "stopping"},
		{"POST", "/readyz", nil, 405, "Method Not Allowed"},
		{"GET", "/", nil, 404, "404 page not found"},
	} {
		w := get(NewServer(source(tc.ready)).Handler, tc.method, tc.path, "")
		if w.Code != tc.code || strings.TrimSpace(w.Body.String()) != tc.body {
			t.Errorf("%s %s: %d %q", tc.method, tc.path, w.Code, w.Body)
		}
	}
}

func TestToken(t *testing.T) {
	s := source(nil)
	s.Token = "open sesame"
	h := NewServer(s).Handler
	for token, code := range map[string]int{
		"":                    401,
		"Bearer ":             401,
		"Bearer open":         401,
		"open sesame":         401,
		"Bearer open sesame ": 401,
		"Bearer open sesame":  200,
	} {
		for _, path := range []string{"/metrics", "/healthz"} {
			if w := get(h, "GET", path, token); w.Code != code {
				t.Errorf("%s with %q: %d, want %d", path, token, w.Code, code)
			}
		}
	}
}
