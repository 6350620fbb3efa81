module parley/tools/deploy/kubecheck

go 1.26
