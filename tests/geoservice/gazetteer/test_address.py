"""The grammar of addresses: lines as people write them, taken apart by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.gazetteer.address import Address, numeral, parse, tidy, write

# Each line, and its parts by the first letters of their names:
# p province, c city, x county, t township, v village, g group, r road, l lane, n number, b branch, y yard,
# k compound, B building, u unit, f floor, R room, ? rest.
KEYS = {
    "p": "province", "c": "city", "x": "county", "t": "township", "v": "village", "g": "group", "r": "road",
    "l": "lane", "n": "number", "b": "branch", "y": "yard", "k": "compound", "B": "building",
    "u": "unit", "f": "floor", "R": "room",
    "?": "rest",
}  # fmt: skip
TABLE = """
北京市东城区东华门街道南河沿大街1号|p北京市 x东城区 t东华门街道 r南河沿大街 n1
北京市朝阳区建国门外大街甲6号|p北京市 x朝阳区 r建国门外大街 n甲6
北京市海淀区中关村大街27号|p北京市 x海淀区 r中关村大街 n27
北京市海淀区中关村大街27号中关村大厦8层801室|p北京市 x海淀区 r中关村大街 n27 k中关村大厦 f8 R801
北京市西城区西直门外大街137号|p北京市 x西城区 r西直门外大街 n137
北京市朝阳区三里屯路19号|p北京市 x朝阳区 r三里屯路 n19
北京市丰台区丰台街道正阳大街5号院3号楼2单元501室|p北京市 x丰台区 t丰台街道 r正阳大街 y5 B3 u2 R501
上海市黄浦区南京东路100号|p上海市 x黄浦区 r南京东路 n100
上海市静安区南京西路1038弄5号|p上海市 x静安区 r南京西路 l1038 n5
上海市徐汇区天平路街道衡山路10号2楼|p上海市 x徐汇区 t天平路街道 r衡山路 n10 f2
上海市浦东新区世纪大道8号B座|p上海市 x浦东新区 r世纪大道 n8 BB
重庆市渝北区龙溪街道红锦大道88号|p重庆市 x渝北区 t龙溪街道 r红锦大道 n88
天津市和平区解放北路188号|p天津市 x和平区 r解放北路 n188
河北省石家庄市长安区中山东路216号|p河北省 c石家庄市 x长安区 r中山东路 n216
河北省石家庄市正定县正定镇恒山东路18号|p河北省 c石家庄市 x正定县 t正定镇 r恒山东路 n18
山西省太原市小店区长风街120号|p山西省 c太原市 x小店区 r长风街 n120
内蒙古自治区呼和浩特市新城区新华大街63号|p内蒙古自治区 c呼和浩特市 x新城区 r新华大街 n63
内蒙古自治区锡林郭勒盟西乌珠穆沁旗巴拉嘎尔高勒镇|p内蒙古自治区 c锡林郭勒盟 x西乌珠穆沁旗 t巴拉嘎尔高勒镇
内蒙古自治区鄂尔多斯市鄂托克旗苏米图苏木|p内蒙古自治区 c鄂尔多斯市 x鄂托克旗 t苏米图苏木
辽宁省朝阳市双塔区朝阳大街三段1号|p辽宁省 c朝阳市 x双塔区 r朝阳大街三段 n1
吉林省吉林市船营区吉林大街2号|p吉林省 c吉林市 x船营区 r吉林大街 n2
吉林省延边朝鲜族自治州延吉市公园路977号|p吉林省 c延边朝鲜族自治州 x延吉市 r公园路 n977
黑龙江省哈尔滨市南岗区红军街15号|p黑龙江省 c哈尔滨市 x南岗区 r红军街 n15
江苏省苏州市昆山市玉山镇前进中路219号|p江苏省 c苏州市 x昆山市 t玉山镇 r前进中路 n219
江苏省南京市玄武区珠江路88号|p江苏省 c南京市 x玄武区 r珠江路 n88
浙江省杭州市西湖区文三路90号东部软件园区1号楼|p浙江省 c杭州市 x西湖区 r文三路 n90 k东部软件园区 B1
浙江省杭州市余杭区文一西路969号|p浙江省 c杭州市 x余杭区 r文一西路 n969
安徽省合肥市包河区马鞍山路130号万达广场3号楼|p安徽省 c合肥市 x包河区 r马鞍山路 n130 k万达广场 B3
福建省厦门市思明区湖滨南路76号|p福建省 c厦门市 x思明区 r湖滨南路 n76
江西省景德镇市珠山区瓷都大道1055号|p江西省 c景德镇市 x珠山区 r瓷都大道 n1055
山东省济南市历下区泉城路180号|p山东省 c济南市 x历下区 r泉城路 n180
山东省青岛市市南区香港中路10号|p山东省 c青岛市 x市南区 r香港中路 n10
河南省南阳市淅川县上集镇|p河南省 c南阳市 x淅川县 t上集镇
湖北省荆州市沙市区北京中路99号|p湖北省 c荆州市 x沙市区 r北京中路 n99
湖北省神农架林区松柏镇常青路7号|p湖北省 x神农架林区 t松柏镇 r常青路 n7
湖北省武汉市武昌区中南路街道民主路11号|p湖北省 c武汉市 x武昌区 t中南路街道 r民主路 n11
湖南省常德市津市市澧阳街道|p湖南省 c常德市 x津市市 t澧阳街道
广东省广州市天河区天河路385号|p广东省 c广州市 x天河区 r天河路 n385
广东省东莞市长安镇霄边社区|p广东省 c东莞市 t长安镇 v霄边社区
广东省深圳市南山区粤海街道科技园路2号|p广东省 c深圳市 x南山区 t粤海街道 r科技园路 n2
广西壮族自治区南宁市青秀区民族大道100号|p广西壮族自治区 c南宁市 x青秀区 r民族大道 n100
海南省三亚市吉阳区迎宾路360号|p海南省 c三亚市 x吉阳区 r迎宾路 n360
四川省成都市武侯区人民南路四段11号附1号|p四川省 c成都市 x武侯区 r人民南路四段 n11 b1
四川省凉山彝族自治州西昌市航天大道一段28号|p四川省 c凉山彝族自治州 x西昌市 r航天大道一段 n28
贵州省遵义市红花岗区中华南路1号|p贵州省 c遵义市 x红花岗区 r中华南路 n1
云南省玉溪市元江哈尼族彝族傣族自治县澧江街道|p云南省 c玉溪市 x元江哈尼族彝族傣族自治县 t澧江街道
西藏自治区拉萨市城关区北京中路35号|p西藏自治区 c拉萨市 x城关区 r北京中路 n35
陕西省西安市雁塔区小寨西路26号|p陕西省 c西安市 x雁塔区 r小寨西路 n26
甘肃省兰州市城关区南昌路1648号|p甘肃省 c兰州市 x城关区 r南昌路 n1648
宁夏回族自治区银川市兴庆区解放西街2号|p宁夏回族自治区 c银川市 x兴庆区 r解放西街 n2
新疆维吾尔自治区乌鲁木齐市天山区中山路462号|p新疆维吾尔自治区 c乌鲁木齐市 x天山区 r中山路 n462
香港特别行政区|p香港特别行政区
样例县城关镇幸福路12号|x样例县 t城关镇 r幸福路 n12
样例县城关镇幸福路十二号|x样例县 t城关镇 r幸福路 n12
样例县城关镇幸福路一百零五号|x样例县 t城关镇 r幸福路 n105
样例县老梁镇平湾村3组8号|x样例县 t老梁镇 v平湾村 g3 n8
样例县老梁镇平湾村三组八号|x样例县 t老梁镇 v平湾村 g3 n8
样例县 城关镇， 幸福路 12 号|x样例县 t城关镇 r幸福路 n12
样例县城关镇幸福路１２号|x样例县 t城关镇 r幸福路 n12
样例县（虚构）城关镇幸福路12号|x样例县 t城关镇 r幸福路 n12
样例县城关镇幸福路12号附3号|x样例县 t城关镇 r幸福路 n12 b3
样例县城关镇幸福路12-3号|x样例县 t城关镇 r幸福路 n12-3
城关镇幸福路12号|t城关镇 r幸福路 n12
幸福路12号|r幸福路 n12
幸福路|r幸福路
幸福小区3号楼2单元501室|k幸福小区 B3 u2 R501
幸福小区3栋2单元501|k幸福小区 B3 u2 R501
幸福小区3幢2单元5层501室|k幸福小区 B3 u2 f5 R501
幸福小区3-2-501|k幸福小区 B3 u2 R501
幸福小区三号楼二单元五〇一室|k幸福小区 B3 u2 R501
幸福路12号阳光花园A座1203室|r幸福路 n12 k阳光花园 BA R1203
幸福路12号阳光花园5栋|r幸福路 n12 k阳光花园 B5
工人新村18号楼101室|k工人新村 B18 R101
北京大学|k北京大学
样例县人民医院|x样例县 k人民医院
吉祥胡同7号|r吉祥胡同 n7
光明巷23号|r光明巷 n23
G312国道188号|rG312国道 n188
永岔乡沙坪村|t永岔乡 v沙坪村
柳泉乡石井村委会|t柳泉乡 v石井村委会
长安街1号|r长安街 n1
人民路88号写字楼12层|r人民路 n88 ?写字楼12层
河北保定市莲池区东风路9号|p河北 c保定市 x莲池区 r东风路 n9
北京市市辖区朝阳区朝阳北路101号|p北京市 x朝阳区 r朝阳北路 n101
朝阳区朝阳路8号朗廷大厦B座9层906室|x朝阳区 r朝阳路 n8 k朗廷大厦 BB f9 R906
没有门牌的地方|?没有门牌的地方
"""
LINES = [line.split("|") for line in TABLE.strip().splitlines()]


def expected(told: str) -> dict[str, str]:
    return {KEYS[part[0]]: part[1:] for part in told.split()}


def test_there_are_many() -> None:
    assert len(LINES) >= 80


@pytest.mark.parametrize(("line", "told"), LINES)
def test_parts(line: str, told: str) -> None:
    assert parse(line).parts() == expected(told)


@pytest.mark.parametrize("line", [line for line, _ in LINES])
def test_what_is_written_is_read_again(line: str) -> None:
    found = parse(line)
    assert parse(write(found)) == found


HAN = st.text(alphabet="一二三四五六七八九十百路街号楼单元室村镇乡县市省区栋组弄附幸福长安甲AB123-（） ", max_size=30)


@given(st.one_of(HAN, st.text(max_size=40)))
def test_any_text_is_read_to_its_end(text: str) -> None:
    found = parse(text)
    letters = [c for c in tidy(text) if c.isalpha() and c not in "号弄组社院楼栋幢座单元层室房户附村民小馆市辖区之F"]
    kept = "".join(found.parts().values())
    assert all(c in kept for c in letters), "no letter that means something is lost"


@given(
    st.builds(
        Address,
        county=st.sampled_from([None, "样例县", "朝阳区"]),
        township=st.sampled_from([None, "城关镇", "东华门街道"]),
        road=st.sampled_from(["幸福路", "长安街", "光明巷", "世纪大道"]),
        number=st.integers(1, 9999).map(str),
        branch=st.none() | st.integers(1, 99).map(str),
        compound=st.sampled_from([None, "阳光花园", "幸福小区"]),
        building=st.none() | st.integers(1, 99).map(str) | st.sampled_from("ABC"),
        unit=st.none() | st.integers(1, 9).map(str),
        floor=st.none() | st.integers(1, 99).map(str),
        room=st.none() | st.integers(101, 3999).map(str),
    )
)
def test_reading_what_was_written(address: Address) -> None:
    assert parse(write(address)) == address


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("五", 5),
        ("十", 10),
        ("十二", 12),
        ("二十", 20),
        ("一百零五", 105),
        ("两千", 2000),
        ("三千六百一十八", 3618),
        ("二〇一", 201),
    ],
)
def test_numerals(text: str, value: int) -> None:
    assert numeral(text) == value
