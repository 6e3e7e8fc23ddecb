"""Words of mails in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """All words of one language."""

    lang: str
    tag: str
    colon: str
    comma: str
    played: str
    mark: str
    confirm: str
    asked: str
    unasked: str
    why: str
    leave: str
    changes: Mapping[str, str]
    changed: str
    began: str
    ended: str
    severity: str
    places: str
    begins: str
    ends: str
    sender: str
    number: str
    counts: Mapping[str, str]
    edition: str
    place: str
    more: str
    station: str
    value: str
    time: str
    limit: str
    why_over: str
    over: Mapping[str, str]


WORDS: Mapping[str, Words] = {
    "zh": Words(
        lang="zh",
        tag="zh-CN",
        colon="：",
        comma="，",
        played="*** 演练或测试：以下内容不是真实事件。EXERCISE OR TEST: this is not a real event. ***",
        mark="【演练或测试】",
        confirm="请确认邮件订阅",
        asked="有人请求 geoservice 向此地址发送通知邮件。若您同意，请在 48 小时内打开下面的链接并确认：",
        unasked="若您没有提出请求，请忽略本邮件：未经确认，不会再发送任何邮件。",
        why="您收到此邮件，是因为此地址确认了一项订阅。",
        leave="退订：",
        changes={"Update": "更新", "Cancel": "解除"},
        changed="图层有更新",
        began="开始超限",
        ended="超限结束",
        severity="级别",
        places="地区",
        begins="生效",
        ends="截止",
        sender="发布",
        number="编号",
        counts={"created": "新增", "updated": "修改", "deleted": "删除"},
        edition="版本",
        place="订阅范围",
        more="详情",
        station="站点",
        value="数值",
        time="时间",
        limit="限值",
        why_over="原因",
        over={"recovered": "已恢复到限值以内", "silent": "超过 24 小时没有数据"},
    ),
    "en": Words(
        lang="en",
        tag="en",
        colon=": ",
        comma=", ",
        played="*** EXERCISE OR TEST: this is not a real event. 演练或测试：以下内容不是真实事件。 ***",
        mark="[Exercise or test] ",
        confirm="Please confirm your subscription by mail",
        asked="Somebody asked geoservice to send notices to this address. If you agree, open this link within 48 hours "
        "and confirm:",
        unasked="If it was not you, do nothing: without a confirmation nothing else is sent.",
        why="You get this mail because a subscription was confirmed from this address.",
        leave="Unsubscribe:",
        changes={"Update": "update", "Cancel": "cancelled"},
        changed="Layer changed",
        began="Limit exceeded",
        ended="Limit no longer exceeded",
        severity="Severity",
        places="Where",
        begins="From",
        ends="Until",
        sender="Issued by",
        number="Identifier",
        counts={"created": "Created", "updated": "Updated", "deleted": "Deleted"},
        edition="Edition",
        place="Your area",
        more="More",
        station="Station",
        value="Value",
        time="Time",
        limit="Limit",
        why_over="Why",
        over={"recovered": "back within the limit", "silent": "no data for more than 24 hours"},
    ),
}
