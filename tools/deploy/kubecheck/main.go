// Command kubecheck builds the Kustomize base in the folder that it is given,
// decodes each object strictly into the type that Kubernetes has for it, and
// looks at what a rolling upgrade relies on. It is a module of its own, so that
// the server's has nothing of Kubernetes.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kubecheck:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: kubecheck FOLDER")
	}
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), args[0])
	if err != nil {
		return err
	}
	var deployment appsv1.Deployment
	var config corev1.ConfigMap
	types := map[string]any{
		"v1 ServiceAccount": &corev1.ServiceAccount{}, "v1 Service": &corev1.Service{}, "v1 ConfigMap": &config,
		"apps/v1 Deployment": &deployment, "networking.k8s.io/v1 Ingress": &networkingv1.Ingress{},
		"networking.k8s.io/v1 NetworkPolicy": &networkingv1.NetworkPolicy{}, "policy/v1 PodDisruptionBudget": &policyv1.PodDisruptionBudget{},
		"autoscaling/v2 HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscaler{},
	}
	seen := map[string]bool{}
	var wrong []error
	for _, object := range objects.Resources() {
		kind := object.GetApiVersion() + " " + object.GetKind()
		into := types[kind]
		if into == nil || seen[kind] {
			return fmt.Errorf("no type to check %s by, or a second one", kind)
		}
		seen[kind] = true
		raw, err := object.AsYAML()
		if err == nil {
			err = yaml.UnmarshalStrict(raw, into)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", kind, err))
		}
	}
	if len(seen) != len(types) {
		wrong = append(wrong, fmt.Errorf("%d objects, want %d", len(seen), len(types)))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	if err := checkDeployment(deployment, config); err != nil {
		return err
	}
	fmt.Printf("%d objects decode strictly; the deployment is confined and ends in time\n", len(seen))
	return nil
}

// checkDeployment is about what no schema says.
func checkDeployment(d appsv1.Deployment, config corev1.ConfigMap) error {
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	var wrong []error
	must := func(holds bool, what string) {
		if !holds {
			wrong = append(wrong, errors.New(what))
		}
	}
	must(*d.Spec.Replicas == 3, "three servers")
	must(d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() == 0, "an upgrade takes no server away before there is another")
	must(*pod.SecurityContext.RunAsNonRoot && *c.SecurityContext.ReadOnlyRootFilesystem && !*c.SecurityContext.AllowPrivilegeEscalation, "a user without privileges on a root that is read-only")
	must(len(c.SecurityContext.Capabilities.Drop) == 1 && c.SecurityContext.Capabilities.Drop[0] == "ALL", "no capabilities")
	must(c.ReadinessProbe.HTTPGet.Path == "/readyz" && c.LivenessProbe.HTTPGet.Path == "/healthz", "probes ask what they mean")
	delay, err := time.ParseDuration(config.Data["PARLEY_SHUTDOWN_DELAY"])
	wrong = append(wrong, err)
	timeout, err := time.ParseDuration(config.Data["PARLEY_SHUTDOWN_TIMEOUT"])
	wrong = append(wrong, err)
	// A turn that did not finish is told for two seconds more.
	must(delay+timeout+2*time.Second < time.Duration(*pod.TerminationGracePeriodSeconds)*time.Second, "streams end before the grace does")
	noticed := time.Duration(c.ReadinessProbe.PeriodSeconds*c.ReadinessProbe.FailureThreshold) * time.Second
	must(noticed < delay+timeout, "a server that stops is noticed")
	return errors.Join(wrong...)
}
