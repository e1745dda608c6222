package recipehttp

import (
	"crypto/sha256"
	_ "embed" // for the page's parts
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// document is the page. It is the same for everybody: it asks for all that it shows as JSON.
var document = strings.NewReplacer("{{style}}", pageCSS, "{{script}}", pageJS).Replace(pageHTML)

// policy lets a browser load nothing but the page itself, run nothing but its script, and connect
// to nothing but where it came from. Trusted types make every attempt to turn text into HTML an
// error, because a text of others could become code.
var policy = strings.Join([]string{
	"default-src 'none'",
	"script-src '" + digest(pageJS) + "'",
	"style-src '" + digest(pageCSS) + "'",
	"img-src data:", // the icon
	"connect-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
	"require-trusted-types-for 'script'",
	"trusted-types 'none'",
}, "; ")

// digest is how a content security policy names an inline script or style.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// readOnly sets the headers that all answers have, and refuses requests that are not for reading.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	h.Set("Allow", "GET, HEAD")
	http.Error(w, "this can only be read", http.StatusMethodNotAllowed)
	return false
}

// ServeHTTP answers with the page, or with what it shows as JSON if the query is ?format=json. It
// does not look at the request's path, so the page can be mounted anywhere, with http.StripPrefix
// or without, with a slash at the end or without.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	var body []byte
	switch format := r.URL.Query().Get("format"); format {
	case "":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		body = []byte(document)
	case "json":
		var err error
		if body, err = json.Marshal(p.snapshot(r.Context())); err != nil {
			panic("bug: " + err.Error()) // strings, numbers and times
		}
		w.Header().Set("Content-Type", "application/json")
	default:
		http.Error(w, "want no format, or json", http.StatusBadRequest)
		return
	}
	if r.Method != http.MethodHead {
		w.Write(body) // an error means that nobody listens any more
	}
}
