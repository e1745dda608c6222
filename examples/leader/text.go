package main

import (
	"strings"
	"unicode/utf8"
)

// A style is how text looks: parameters of the terminal's SGR sequence.
type style string

const (
	normal style = ""
	dim    style = "2"
	bold   style = "1"
	red    style = "31"
	alarm  style = "1;31"
	good   style = "32"
	warm   style = "33"
)

// span is text in one style, line a row of them.
type span struct {
	style style
	text  string
}

type line []span

// row builds a line from styles and texts in turn.
func row(parts ...any) line {
	var l line
	for i := 0; i < len(parts); i += 2 {
		l = append(l, span{parts[i].(style), parts[i+1].(string)})
	}
	return l
}

// render writes the line in at most width columns. All characters in use take one.
func (l line) render(width int, color bool) string {
	var b strings.Builder
	for _, s := range l {
		text := cut(s.text, width)
		width -= utf8.RuneCountInString(text)
		if color && s.style != normal && text != "" {
			text = "\x1b[" + string(s.style) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
	}
	return b.String()
}

// cut shortens text to a width.
func cut(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:max(0, width)])
	}
	return text
}

// pad makes text exactly as wide as width.
func pad(text string, width int) string {
	return cut(text, width) + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// wrap breaks text between words into lines of at most width columns.
func wrap(text string, width int) []string {
	var lines []string
	current := ""
	for _, word := range strings.Fields(text) {
		switch {
		case current == "":
			current = word
		case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) <= width:
			current += " " + word
		default:
			lines = append(lines, current)
			current = word
		}
	}
	if current == "" {
		return nil
	}
	return append(lines, current)
}
