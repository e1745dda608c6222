//go:build unix

package browser

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// Page is a page in a browser of its own. Its methods fail the test instead of returning errors, so
// they may be called from the test's goroutine alone.
type Page struct {
	t       *testing.T
	browser *browser
	session string // names the page in calls

	mu         sync.Mutex // guards what follows
	complaints []string
	requests   []string
	loaded     chan struct{} // closed when the page has been loaded; nil after that
}

// Open opens a page and returns when it has been loaded. The browser ends with the test. Package
// need says what becomes of the test where there is none.
func Open(t *testing.T, url string) *Page {
	t.Helper()
	loaded := make(chan struct{})
	p := &Page{t: t, loaded: loaded}
	p.browser = start(t, p.event)
	var target struct{ TargetID string }
	p.call("Target.createTarget", args{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	p.call("Target.attachToTarget", args{"targetId": target.TargetID, "flatten": true}, &attached)
	p.session = attached.SessionID
	for _, domain := range []string{"Runtime", "Log", "Network", "Page"} {
		p.call(domain+".enable", args{}, nil)
	}
	p.call("Page.navigate", args{"url": url}, nil)
	p.browser.wait(t, loaded, "the page to be loaded")
	return p
}

// args are a call's parameters.
type args map[string]any

func (p *Page) call(method string, params args, result any) {
	p.t.Helper()
	reply, err := p.browser.call(p.session, method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(reply, result)
	}
	if err != nil {
		p.t.Fatalf("browser: %s: %v", method, err)
	}
}

// event takes what the browser tells unasked.
func (p *Page) event(method string, params json.RawMessage) {
	var e struct {
		Type             string                            // of a console call
		Args             json.RawMessage                   // of a console call
		Entry            struct{ Level, Text, URL string } // of the log: policy violations, failed requests
		ExceptionDetails json.RawMessage
		Request          struct{ URL string }
	}
	if err := json.Unmarshal(params, &e); err != nil {
		e.ExceptionDetails, method = params, "Runtime.exceptionThrown"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch method {
	case "Page.loadEventFired":
		if p.loaded != nil {
			close(p.loaded)
			p.loaded = nil
		}
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			p.complaints = append(p.complaints, fmt.Sprintf("console.%s: %s", e.Type, e.Args))
		}
	case "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, fmt.Sprintf("exception: %s", e.ExceptionDetails))
	case "Log.entryAdded":
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			p.complaints = append(p.complaints, fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case "Network.requestWillBeSent":
		p.requests = append(p.requests, e.Request.URL)
	}
}

// Complaints lists errors and warnings so far: of the console, uncaught exceptions, failed
// requests, violations of the page's policy.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.complaints...)
}

// Requests lists the addresses that the page has asked for so far.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.requests...)
}

// Eval evaluates a JavaScript expression in the page, awaits it if it is a promise, and stores its
// value in result, as JSON would be, unless that is nil.
func (p *Page) Eval(expression string, result any) {
	p.t.Helper()
	var reply struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	p.call("Runtime.evaluate", args{"expression": expression, "awaitPromise": true, "returnByValue": true}, &reply)
	if reply.ExceptionDetails != nil {
		p.t.Fatalf("browser: %s: %s", expression, reply.ExceptionDetails)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(reply.Result.Value, result); err != nil {
		p.t.Fatalf("browser: %s: %v in %s", expression, err, reply.Result.Value)
	}
}

// Await waits until a condition, an expression in JavaScript, holds. It is looked at again at every
// change of the document.
func (p *Page) Await(condition string) {
	p.t.Helper()
	p.t.Logf("awaiting %s", condition)
	p.Eval(strings.ReplaceAll(`new Promise(ok => {
		const holds = () => { try { return CONDITION } catch { return false } };
		if (holds()) return ok(true);
		const observer = new MutationObserver(() => {
			if (holds()) { observer.disconnect(); ok(true); }
		});
		observer.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
	})`, "CONDITION", condition), nil)
}

// Media makes the page believe in a media feature, such as prefers-color-scheme.
func (p *Page) Media(feature, value string) {
	p.t.Helper()
	p.call("Emulation.setEmulatedMedia", args{"features": []args{{"name": feature, "value": value}}}, nil)
}

// Screenshot writes a picture of the whole page, as PNG, for people to look at.
func (p *Page) Screenshot(file string, width int) {
	p.t.Helper()
	p.call("Emulation.setDeviceMetricsOverride", args{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
	var reply struct{ Data string }
	p.call("Page.captureScreenshot", args{"captureBeyondViewport": true}, &reply)
	png, err := base64.StdEncoding.DecodeString(reply.Data)
	if err == nil {
		err = os.WriteFile(file, png, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}
