package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// lintRedocly runs Redocly with redocly.yaml.
func lintRedocly(ctx context.Context, in, home string) ([]finding, error) {
	out, err := node(ctx, home, "redocly", "lint", in,
		"--config", filepath.Join(home, "redocly.yaml"), "--format", "json", "--max-problems", "100000")
	if err != nil {
		return nil, err
	}
	var report struct {
		Problems []struct {
			RuleID   string `json:"ruleId"`
			Message  string `json:"message"`
			Location []struct {
				Pointer string `json:"pointer"`
			} `json:"location"`
		} `json:"problems"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("read report %.200q: %w", out, err)
	}
	var found []finding
	for _, p := range report.Problems {
		f := finding{Rule: p.RuleID, Message: p.Message}
		if len(p.Location) > 0 {
			f.Pointer = p.Location[0].Pointer
		}
		found = append(found, f)
	}
	return found, nil
}

// lintSpectral runs Spectral with spectral.yaml.
func lintSpectral(ctx context.Context, in, home string) ([]finding, error) {
	out, err := node(ctx, home, "spectral", "lint", in,
		"--ruleset", filepath.Join(home, "spectral.yaml"), "--format", "json", "--quiet")
	if err != nil {
		return nil, err
	}
	var report []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Path    []any  `json:"path"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("read report %.200q: %w", out, err)
	}
	var found []finding
	for _, p := range report {
		pointer := "#"
		for _, token := range p.Path {
			pointer += "/" + escape(fmt.Sprint(token))
		}
		found = append(found, finding{Rule: p.Code, Pointer: pointer, Message: p.Message})
	}
	return found, nil
}

// node runs a tool of node_modules and returns its report. That a tool found
// something, exit status 1, is no failure.
func node(ctx context.Context, home, tool string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, filepath.Join(home, "node_modules", ".bin", tool), args...)
	command.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1 || out.Len() == 0) {
		return nil, fmt.Errorf("run %s: %w: %s", tool, err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}
