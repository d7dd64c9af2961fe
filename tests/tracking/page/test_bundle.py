"""Plotly's bundle with few kinds of traces: where it can be read, else left alone."""

import re

from plotly.offline import get_plotlyjs

from moosnn.tracking.page import bundle
from moosnn.tracking.page.bundle import TRACES, compiled_once, only, plotly_code
from moosnn.tracking.page.write import SCRIPTS

KIND_IN_SCRIPT = re.compile(r'type: "(\w+)"')
NOT_TRACES = {"button", "category", "checkbox", "data", "line", "linear", "log"}
NOT_TRACES |= {"number", "rect"}
SMALL = (
    'var A=W((e,t)=>{"use strict";t.exports=B()});'
    'var B=W((e,t)=>{t.exports={moduleType:"trace",name:"bar"}});'
    'var C=W((e,t)=>{"use strict";t.exports=D()});'
    'var D=W((e,t)=>{t.exports={moduleType:"trace",name:"pie"}});'
    "R.register([A(),C()]);"
)


def test_only_what_the_page_draws_is_registered():
    code = plotly_code()
    (call,) = re.findall(r"\.register\(\[((?:[\w$]+\(\),?)+)\]\)", code)
    assert call.count("()") == len(TRACES)
    assert code.count("(() => {\n") == get_plotlyjs().count(" () => {\n") == 1


def test_every_kind_of_trace_in_the_scripts_is_kept():
    drawn = {
        kind for name in SCRIPTS for kind in KIND_IN_SCRIPT.findall(bundle_part(name))
    }
    assert drawn - NOT_TRACES == {"scatter", *TRACES}


def bundle_part(name):
    from importlib import resources

    return resources.files(bundle.__package__).joinpath(name).read_text("utf-8")


def test_a_kind_is_found_by_its_name_and_not_by_its_place():
    assert only(SMALL, ("pie",)).endswith("R.register([C()]);")
    assert only(SMALL, ("bar",)).endswith("R.register([A()]);")


def test_a_bundle_that_looks_different_is_used_as_it_is():
    assert only(SMALL, ("bar", "contour")) == SMALL
    assert only("var Plotly = {};", TRACES) == "var Plotly = {};"
    assert only(SMALL * 2, ("pie",)) == SMALL * 2
    assert compiled_once(SMALL) == SMALL
