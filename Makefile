# The whole house in two commands: `make book` and `make test`. `make` alone lists all.
# An environment of your own instead of .venv: `make test PY=python`. Tests run on all cores: WORKERS=1 for one.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install book draft pdf test lint format unit chapters pages sync assignments grade status bench experiments lock clean

VENV := .venv
HTML := _build/html
FLAGS := build . -W --keep-going -n --quiet
BUILD = $(PY) -c 'from jupyter_book.cli.main import main; main()' $(FLAGS)
COSTS := _build/chapters.json
COMPARISONS := any_n tau_of_a_list long_lists iid_reading simulation ensembles leave_one_out start
PYDVL := _build/pydvl/bin/python
EXPERIMENTS = $(filter-out $(COMPARISONS:%=benchmarks/%.py) benchmarks/pydvl_leave_one_out.py benchmarks/fashion_mnist_full.py,$(wildcard benchmarks/[!_]*.py))
WORKERS := auto

ifeq ($(origin PY), undefined)
  PY := $(VENV)/bin/python
  READY := $(VENV)/.installed
endif

help:  ## this list
	@echo "The Long Tail Book. Targets:"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	@echo "Without a GPU: make install TORCH_INDEX=URL takes torch alone from the package index URL (see CONTRIBUTING.md)."

install: $(VENV)/.installed  ## set up .venv from requirements.lock (done by the others when it is missing)
	@echo "install: $(VENV) is ready"

$(VENV)/.installed: requirements.lock pyproject.toml book/tools/install.sh
	@sh book/tools/install.sh $(VENV) "$(TORCH_INDEX)"

book: $(READY)  ## build the book from nothing, warnings are errors: _build/html/index.html
	@echo "book: building $(HTML) from the committed notebooks"
	@rm -rf $(HTML) _build/.doctrees
	@$(BUILD) --all
	@echo "book: open $(HTML)/index.html"

draft: $(READY)  ## while you write: bring notebooks in step and build again only the pages that changed
	@$(PY) book/tools/draft.py $(FLAGS)
	@echo "draft: open $(HTML)/index.html; \`make book\` is what counts, a draft overlooks changes of the library"

pdf: book  ## print the whole book with a Chromium, some minutes: _build/the-long-tail-book.pdf
	@$(PY) book/tools/pdf.py

test: lint unit chapters book pages  ## every check there is, in the order below
	@echo "test: all checks passed"

lint: $(READY)  ## format, style, types; notebooks in step with their text and house rules
	@echo "lint: ruff, mypy, notebooks"
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) book/tools/notebooks.py check
	@$(PY) book/tools/lint.py
	@$(PY) book/tools/assignments.py check

unit: $(READY)  ## tests of the library and of the tools, doctests
	@echo "unit: tests and doctests"
	@$(PY) -m pytest -q -n $(WORKERS) --dist loadfile tests lib/longtail --doctest-modules -m "not site and not browser"

chapters: $(READY)  ## run every chapter again and compare with what readers see (NAME=part/name: one)
	@echo "chapters: running the notebooks and comparing outputs"
	@PYTHONPATH=book/tools $(PY) -m pytest -q -n $(WORKERS) --dist loadfile -p nbval_plugin --chapters --measurements $(COSTS) \
	  $(if $(NAME),book/$(NAME).ipynb,book)

pages: $(READY)  ## links of the built book; with a Chromium also every page in it
	@echo "pages: checking $(HTML)"
	@$(PY) -m pytest -q -n $(WORKERS) tests -m "site or browser"

sync: $(READY)  ## make the notebooks from the texts (FORCE=1: run all again, NAME=part/name: one)
	@$(PY) book/tools/notebooks.py sync $(if $(FORCE),--force) $(NAME)
	@$(PY) book/tools/readme_figure.py

assignments: $(READY)  ## make the students' versions, grade the solutions (NAME=2_tau: one)
	@$(PY) book/tools/assignments.py make $(NAME)

grade: $(READY)  ## grade notebooks: make grade ASSIGNMENT=2_tau SUBMISSIONS=folder [CSV=file]
	$(if $(and $(ASSIGNMENT),$(SUBMISSIONS)),,$(error say: make grade ASSIGNMENT=2_tau SUBMISSIONS=folder [CSV=file]))
	@$(PY) book/tools/grade.py "$(ASSIGNMENT)" "$(SUBMISSIONS)" $(if $(CSV),--csv "$(CSV)")

format: $(READY)  ## put Python files into the house style
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

status: $(READY)  ## measure the chapters and write the status page
	@$(PY) book/tools/notebooks.py sync --force reference/status
	@$(MAKE) --no-print-directory chapters
	@$(PY) book/tools/status.py update $(COSTS)
	@$(PY) book/tools/notebooks.py sync --force reference/status

bench: $(READY)  ## run all comparisons (ten minutes), draw the pages that show them
	@for name in $(COMPARISONS); do echo "bench: $$name"; $(PY) benchmarks/$$name.py || exit 1; done
	@echo "bench: pydvl_leave_one_out, in an environment of its own"
	@$(PYDVL) -c "import pydvl" 2>/dev/null || \
	  { $(PY) -m venv $(dir $(PYDVL)).. && $(PYDVL) -m pip install --quiet --disable-pip-version-check pydvl==0.10.0; } || \
	  echo "bench: pyDVL could not be installed"
	@PYTHONPATH=lib $(PYDVL) benchmarks/pydvl_leave_one_out.py
	@for page in performance numerics status; do $(PY) book/tools/notebooks.py sync --force reference/$$page || exit 1; done

experiments: $(READY)  ## run what chapters load ready made, without Fashion-MNIST in full (hours)
	@for script in $(EXPERIMENTS); do echo "experiments: $$script"; $(PY) $$script || exit 1; done

lock:  ## make requirements.lock again, from the newest versions that pyproject.toml allows
	@sh book/tools/lock.sh

clean:  ## remove what was built, not .venv
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
