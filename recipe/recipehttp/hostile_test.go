package recipehttp_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/recipe/recipehttp"
)

// hostile is what a candidate of another library may have in its znode.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	"</script><!--",
	"\u202egnp.exe\u2066",         // turns the direction of the text
	"alice\u200b\u00ad",           // looks like alice
	"a\x00b\x1b[31m\u2028\u2029",  // control characters, JavaScript's line ends
	"\xff\xfe broken \xc3",        // no UTF-8
	strings.Repeat("W", 500_000),  // long
	strings.Repeat("\u0301", 100), // accents upon nothing
}

func TestHostileNamesAndDataAreHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		client := open(t, e, "mallory")
		s, err := client.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.EnsurePath(t.Context(), path, nil); err != nil {
			t.Fatal(err)
		}
		for i, text := range hostile {
			name := fmt.Sprintf("%s/_c_%032x-latch-%010d", path, i, i)
			if _, err := s.Create(t.Context(), name, []byte(text+"\n"+text), zk.FlagEphemeral, nil); err != nil {
				t.Fatal(err)
			}
		}
		page, _ := newPage(t, open(t, e, "observer"), recipehttp.Config{Data: true, Title: hostile[0]})
		await.Sleep(time.Minute)
		shown := look(t, page)
		if len(shown.Line) != len(hostile) {
			t.Fatalf("%d are shown; want %d", len(shown.Line), len(hostile))
		}
		for _, p := range shown.Line {
			for _, text := range []string{p.ID, p.Data} {
				if n := utf8.RuneCountInString(text); n > 129 || strings.ContainsAny(text, "\x00\x1b\u200b\u00ad\u202e\u2066\u2028\u2029\n") {
					t.Errorf("%d characters are shown: %q", n, text)
				}
			}
		}
		if shown.Line[0].ID != hostile[0] || shown.Line[0].Data != hostile[0] {
			t.Errorf("what can be read is not shown as it is: %+v", shown.Line[0])
		}
		w := get(page, "GET", "/?format=json")
		// Even where a browser took the JSON for HTML, nothing in it could be an element.
		if body := w.Body.String(); strings.ContainsAny(body, "<>") || !utf8.ValidString(body) {
			t.Error("the JSON holds angle brackets, or is no UTF-8")
		}
		if html := get(page, "GET", "/").Body.String(); strings.Contains(html, "alert(1)") || html != get(page, "GET", "/x?a=<b>").Body.String() {
			t.Error("the page depends on what others say")
		}
	})
}

// anyPage is a page without elections.
func anyPage(t *testing.T) *recipehttp.Page {
	page, err := recipehttp.New(recipehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	return page
}

func TestTheScriptNeverMakesHTMLOfText(t *testing.T) {
	html := get(anyPage(t), "GET", "/").Body.String()
	if bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|setHTML| on[a-z]+=| style=`).FindString(html); bad != "" {
		t.Errorf("the page holds %q", bad)
	}
	if urls := regexp.MustCompile(`(src|href|action)=["'][^"']*["']`).FindAllString(html, -1); len(urls) != 2 {
		t.Errorf("the page refers to %q; want its icon and its JSON alone", urls)
	}
}

func TestEveryAnswerIsReadOnlyAndGuarded(t *testing.T) {
	page := anyPage(t)
	for name, h := range map[string]http.Handler{"page": page, "health": recipehttp.Health(recipehttp.HealthConfig{})} {
		for _, url := range []string{"/", "/?format=json", "/?format=xml", "/deep/er?format=json"} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
				w := get(h, method, url)
				want := 200
				switch {
				case method != "GET" && method != "HEAD":
					want = 405
				case name == "page" && strings.Contains(url, "xml"):
					want = 400
				}
				if w.Code != want || want == 405 && w.Header().Get("Allow") != "GET, HEAD" {
					t.Errorf("%s %s of the %s: %d, %v; want %d", method, url, name, w.Code, w.Header(), want)
				}
				if method == "HEAD" && want == 200 && w.Body.Len() > 0 {
					t.Errorf("HEAD %s of the %s has a body", url, name)
				}
				for header, want := range map[string]string{
					"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
					"Content-Security-Policy": "frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
				} {
					if got := w.Header().Get(header); !strings.Contains(got, want) {
						t.Errorf("%s %s of the %s: %s is %q; want %q", method, url, name, header, got, want)
					}
				}
				if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
					t.Errorf("policy %q", csp)
				}
			}
		}
	}
}

func TestThePolicyAllowsThePagesOwnScriptAndStyle(t *testing.T) {
	w := get(anyPage(t), "GET", "/")
	for _, tag := range []string{"script", "style"} {
		found := regexp.MustCompile("(?s)<"+tag+">(.*?)</"+tag+">").FindAllStringSubmatch(w.Body.String(), -1)
		if len(found) != 1 {
			t.Fatalf("%d elements %s; want 1", len(found), tag)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, want) {
			t.Errorf("the policy is %q; want %q in it", csp, want)
		}
	}
}

func TestThePageWorksUnderAnyPrefix(t *testing.T) {
	page := anyPage(t)
	mux := http.NewServeMux()
	mux.Handle("/stripped/", http.StripPrefix("/stripped", page))
	mux.Handle("/exact", page)
	for _, url := range []string{"/stripped/", "/exact"} {
		if w := get(mux, "GET", url); w.Code != 200 || !strings.Contains(w.Body.String(), "<main") {
			t.Errorf("%s: %d", url, w.Code)
		}
		if w := get(mux, "GET", url+"?format=json"); w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s?format=json: %d %v", url, w.Code, w.Header())
		}
	}
}

func TestHealthTextHoldsNothingOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := servers(t)
		sick := fmt.Errorf("postgres://user:password@db \n\x1b[31mok")
		el, _ := stand(t, open(t, e, "a"), election.Config{Healthy: func(context.Context) error { return sick }}, obedient)
		await.Sleep(time.Minute)
		if body := get(recipehttp.Health(recipehttp.HealthConfig{}, el), "GET", "/").Body.String(); strings.Contains(body, "password") {
			t.Errorf("the answer is %q", body)
		}
		body := get(recipehttp.Health(recipehttp.HealthConfig{Errors: true}, el), "GET", "/").Body.String()
		if !strings.Contains(body, "postgres") || strings.Contains(body, "\x1b") || strings.Count(body, "\n") != 3 {
			t.Errorf("with errors the answer is %q", body)
		}
	})
}
